//! What is a company's own among compiled pieces.

use std::collections::BTreeMap;

use frontdesk_domain::{documents::overlay::Overlay, ids::ScenarioId};

use super::Placed;
use crate::{
    language::{Class, Language},
    lexicon::{Lexicon, Rewording},
    piece::{Form, Piece, PieceBuilder, Role, Target, without_fillers},
    words::Word,
};

/// What a company adds to its pieces: triggers and negatives of its own, and the wordings that its synonyms and fillers
/// change and that were compiled without them.
pub(super) fn additions(
    language: &'static Language,
    lexicon: &Lexicon,
    placed: &[Placed],
    overlay: &Overlay,
) -> (Piece, Vec<u32>) {
    let mut builder = PieceBuilder::new(language, lexicon);
    let mut stands_for = Vec::new();
    let mut rewording = Rewording::default();
    for place in placed {
        let touched = touched_forms(&place.piece, lexicon);
        for (unit, compiled) in (0..).zip(&place.piece.units) {
            let id = match &compiled.target {
                Some(Target::Scenario { scenario, .. }) => Some(&scenario.id),
                _ => None,
            };
            let triggers = added(&overlay.triggers, id);
            let negatives = added(&overlay.negative_triggers, id);
            let any_touched = compiled
                .forms
                .clone()
                .any(|form| touched.get(form).copied().unwrap_or_default());
            if triggers.is_empty() && negatives.is_empty() && !any_touched {
                continue;
            }
            for trigger in triggers {
                builder.wording(trigger, Role::Wording);
            }
            for negative in negatives {
                builder.negative(negative);
            }
            for form in compiled
                .forms
                .clone()
                .filter(|form| touched.get(*form).copied().unwrap_or_default())
            {
                reword_form(&mut builder, &place.piece, form, lexicon, &mut rewording);
            }
            if builder.is_begun() {
                builder.close(None);
                stands_for.push(place.number(unit));
            }
        }
    }
    (builder.finish(), stands_for)
}

fn added<'a>(map: &'a BTreeMap<ScenarioId, Vec<String>>, id: Option<&ScenarioId>) -> &'a [String] {
    id.and_then(|id| map.get(id)).map(Vec::as_slice).unwrap_or_default()
}

/// Which original wordings hold a word with which an alias or a filler begins.
fn touched_forms(piece: &Piece, lexicon: &Lexicon) -> Vec<bool> {
    let begins: Vec<bool> = piece
        .terms
        .iter()
        .map(|term| lexicon.may_begin(term.stem, term.exact))
        .collect();
    let begins = |id: u32| {
        usize::try_from(id)
            .ok()
            .and_then(|id| begins.get(id))
            .copied()
            .unwrap_or_default()
    };
    let touched = |form: &Form| !form.reworded && piece.tokens_of(form).iter().any(|token| begins(token.id));
    piece.forms.iter().map(touched).collect()
}

/// Adds what the company's lexicon makes of a wording, if that is new.
fn reword_form(builder: &mut PieceBuilder<'_>, piece: &Piece, form: usize, lexicon: &Lexicon, buffer: &mut Rewording) {
    let Some(original) = piece.forms.get(form) else { return };
    let mut words: Vec<Word> = piece.words_of(original).to_vec();
    let marked_before = words.iter().filter(|word| word.class.any(Class::FILLER)).count();
    lexicon.mark_fillers(&mut words);
    let marked = words.iter().filter(|word| word.class.any(Class::FILLER)).count();
    if marked > marked_before && original.role == Role::Wording {
        let bare = without_fillers(&words);
        if bare.len() < words.len() && bare.iter().any(|word| word.class.is_content()) {
            builder.equals(&bare);
        }
    }
    if lexicon.reword(&words, buffer) {
        let reworded: Vec<Word> = buffer.words.iter().map(|canonical| canonical.word).collect();
        let known = piece.forms.get(form + 1).filter(|next| next.reworded);
        let same = known.is_some_and(|known| {
            piece
                .words_of(known)
                .iter()
                .map(|word| word.stem)
                .eq(reworded.iter().map(|word| word.stem))
        });
        if !same {
            builder.reworded(&reworded, original.role);
        }
    }
}
