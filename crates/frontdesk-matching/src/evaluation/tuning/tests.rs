//! What thresholds are proposed, and when none are.

use proptest::prelude::*;

use super::*;

const NOW: Thresholds = Thresholds {
    company_qna: 0.8,
    trade_qna: 0.75,
    tier1: 0.7,
    tier2: 0.6,
};

fn seen(knob: Knob, confidence: f64, right: bool) -> Seen {
    Seen {
        knob,
        confidence,
        own_threshold: None,
        right,
    }
}

fn sample(steps: Vec<Seen>) -> Sample {
    Sample { steps, settled: None }
}

/// Rules right above 0.5; meaning right above 0.65 and wrong below.
fn labels(count: usize) -> Vec<Sample> {
    let of = |at: usize| {
        let confidence = float(at % 100) / 100.0;
        if at.is_multiple_of(2) {
            sample(vec![seen(Knob::Tier1, confidence, confidence > 0.5)])
        } else {
            sample(vec![
                seen(Knob::Tier1, 0.1, false),
                seen(Knob::Tier2, confidence, confidence > 0.65),
            ])
        }
    };
    (0..count).map(of).collect()
}

#[test]
fn the_first_step_that_clears_its_threshold_answers() {
    let mut both = sample(vec![seen(Knob::CompanyQna, 0.7, false), seen(Knob::Tier1, 0.75, true)]);
    assert_eq!(both.answer(&NOW), Some(true));
    assert_eq!(both.answer(&NOW.with(Knob::CompanyQna, 0.7)), Some(false));
    assert_eq!(both.answer(&NOW.with(Knob::Tier1, 0.9)), None);
    both.steps[1].own_threshold = Some(0.75);
    assert_eq!(
        both.answer(&NOW.with(Knob::Tier1, 0.9)),
        Some(true),
        "its own threshold"
    );
    both.settled = Some(false);
    assert_eq!(both.answer(&STRICTEST), Some(true));
}

#[test]
fn thresholds_move_to_where_answers_become_right() {
    let proposal = propose(&labels(400), 0.03, NOW, 0).unwrap();
    assert!((0.50..=0.53).contains(&proposal.proposed.tier1), "{proposal:?}");
    assert!((0.64..=0.67).contains(&proposal.proposed.tier2), "{proposal:?}");
    let unmoved = (proposal.proposed.company_qna - NOW.company_qna).abs() < 1e-9;
    assert!(unmoved, "nothing speaks for another value");
    assert!(proposal.holds && proposal.after.is_within(0.03) && proposal.after.right > proposal.before.right);
    assert!(proposal.held_out.wrong.high > proposal.held_out.wrong.share);
}

#[test]
fn what_cannot_be_said_is_not_said() {
    assert_eq!(
        propose(&labels(29), 0.03, NOW, 0),
        Err(NoProposal::TooFew { labels: 29 })
    );
    let settled = Sample {
        steps: vec![],
        settled: Some(false),
    };
    let refused = propose(&vec![settled; 40], 0.03, NOW, 0);
    assert_eq!(
        refused,
        Err(NoProposal::TooWrong {
            wrong: 40,
            answered: 40
        })
    );
}

#[test]
fn a_limit_that_does_not_hold_on_unseen_labels_is_said_so() {
    // Confidence says nothing: whatever is chosen on one part is as wrong on another.
    let mut draw = Draw::new(3);
    let mut noise = || {
        let mut drawn = || float(draw.below(1_000)) / 1_000.0;
        let (confidence, truth) = (drawn(), drawn());
        sample(vec![seen(Knob::Tier1, confidence, truth > 0.4)])
    };
    let noise: Vec<Sample> = (0..120).map(|_| noise()).collect();
    let proposal = propose(&noise, 0.02, NOW, 0).unwrap();
    assert!(
        proposal.after.is_within(0.02),
        "on the labels themselves it always holds"
    );
    assert!(!proposal.holds || proposal.held_out.right.hits < 12, "{proposal:?}");
}

#[test]
fn good_thresholds_stay_where_labels_say_little() {
    // All that is answered is right, and confidence means what it says: lower thresholds look free on the labels.
    let at = |at: usize| float((at * 37) % 101) / 101.0;
    let labels: Vec<Sample> = (0..60)
        .map(|index| {
            let confidence = at(index);
            sample(vec![seen(
                Knob::Tier1,
                confidence,
                at(index * 7 + 3) < confidence.max(0.2) || confidence > 0.7,
            )])
        })
        .collect();
    let proposal = propose(&labels, 0.03, NOW, 0).unwrap();
    assert!(proposal.holds, "{proposal:?}");
    assert!(proposal.proposed.tier1 > 0.6, "{proposal:?}");
}

fn any_samples() -> impl Strategy<Value = Vec<Sample>> {
    let step = (
        0_usize..4,
        0_u8..=100,
        any::<bool>(),
        prop::option::weighted(0.1, 0_u8..=100),
    );
    let step = step.prop_map(|(knob, confidence, right, own)| Seen {
        own_threshold: own.map(|own| f64::from(own) / 100.0),
        ..seen(Knob::ALL[knob], f64::from(confidence) / 100.0, right)
    });
    let sample = (
        prop::collection::vec(step, 0..4),
        prop::option::weighted(0.2, any::<bool>()),
    );
    prop::collection::vec(sample.prop_map(|(steps, settled)| Sample { steps, settled }), 30..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_proposed_keeps_the_limit_on_the_labels(samples in any_samples(), limit in 0.0..0.5) {
        if let Ok(proposal) = propose(&samples, limit, NOW, 1) {
            prop_assert!(proposal.after.is_within(limit), "{proposal:?}");
        }
    }

    #[test]
    fn a_looser_limit_never_costs_right_answers(samples in any_samples(), one in 0.0..0.5, other in 0.0..0.5) {
        let samples: Vec<&Sample> = samples.iter().collect();
        let right = |limit: f64| {
            let chosen = choose(&samples, limit, NOW)?;
            Some(Counts::new(samples.iter().copied(), &chosen).right)
        };
        prop_assert!(right(f64::min(one, other)) <= right(f64::max(one, other)));
    }
}
