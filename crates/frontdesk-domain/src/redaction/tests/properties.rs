//! Cards in every rendering that a person may give them.

use proptest::prelude::*;

use super::*;

const PREFIXES: [(&str, usize); 18] = [
    ("4", 16),
    ("4", 13),
    ("4", 19),
    ("51", 16),
    ("55", 16),
    ("2221", 16),
    ("2720", 16),
    ("34", 15),
    ("37", 15),
    ("6011", 16),
    ("644", 16),
    ("65", 16),
    ("300", 14),
    ("36", 14),
    ("3528", 16),
    ("3589", 16),
    ("62", 16),
    ("6759", 16),
];

fn card_number() -> impl Strategy<Value = Vec<u8>> {
    (
        prop::sample::select(PREFIXES.to_vec()),
        prop::collection::vec(0_u8..10, 19),
    )
        .prop_map(|((prefix, length), random)| {
            let mut digits: Vec<u8> = prefix.bytes().map(|b| b - b'0').chain(random).take(length).collect();
            *digits.last_mut().unwrap() = 0;
            let check = (0..10).find(|check| {
                *digits.last_mut().unwrap() = *check;
                card::passes_luhn(digits.iter().copied())
            });
            assert!(check.is_some());
            digits
        })
}

const UNITS: [&str; 10] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
];
const TEENS: [&str; 10] = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const HESITATIONS: [&str; 10] = [
    " ",
    " um ",
    ", uh, ",
    " and then ",
    " okay ",
    " ... ",
    " - ",
    ", ",
    " uh okay ",
    " let me see ",
];

/// How to say the next few digits, as often as there are choices left.
#[derive(Debug, Clone, Copy)]
struct Choice {
    style: u8,
    size: usize,
    hesitation: usize,
    hyphen: bool,
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    prop::collection::vec(
        (
            0_u8..8,
            1_usize..7,
            prop_oneof![3 => Just(0_usize), 1 => 1_usize..10],
            any::<bool>(),
        )
            .prop_map(|(style, size, hesitation, hyphen)| Choice {
                style,
                size,
                hesitation,
                hyphen,
            }),
        19,
    )
}

fn zero(choice: Choice) -> &'static str {
    if choice.hyphen { "oh" } else { "o" }
}

/// Says digits; every text has these digits among its readings.
fn say(digits: &[u8], choices: &[Choice]) -> String {
    let mut said = String::new();
    let mut rest = digits;
    // A unit after tens would be heard as one number: then the pause matters.
    let mut open_tens = false;
    for choice in choices.iter().cycle() {
        let Some(first) = rest.first().copied() else { break };
        if !said.is_empty() {
            said.push_str(HESITATIONS[choice.hesitation]);
            if open_tens && choice.hesitation == 0 && !said.ends_with(", ") {
                said.push_str(", ");
            }
        }
        open_tens = false;
        let same = rest.iter().take_while(|digit| **digit == first).count();
        let pair = rest.get(1).map(|second| (first, *second));
        let taken = match (choice.style, pair) {
            (1 | 2, _) => {
                let size = choice.size.min(rest.len());
                said.extend(rest[..size].iter().map(|digit| char::from(b'0' + digit)));
                size
            }
            (3, _) if same >= 3 && choice.hyphen => {
                said.push_str("triple ");
                said.push_str(UNITS[usize::from(first)]);
                3
            }
            (3 | 4, _) if same >= 2 => {
                said.push_str("double ");
                said.push_str(if first == 0 {
                    zero(*choice)
                } else {
                    UNITS[usize::from(first)]
                });
                2
            }
            (5 | 6, Some((1, second))) => {
                said.push_str(TEENS[usize::from(second)]);
                2
            }
            (5 | 6, Some((tens @ 2..=9, second))) => {
                said.push_str(TENS[usize::from(tens)]);
                if second == 0 {
                    open_tens = true;
                } else {
                    said.push_str(if choice.hyphen { "-" } else { " " });
                    said.push_str(UNITS[usize::from(second)]);
                    if rest.get(2..4) == Some(&[0, 0]) && choice.size > 3 {
                        said.push_str(" hundred");
                        rest = &rest[2..];
                    }
                }
                2
            }
            _ => {
                said.push_str(if first == 0 {
                    zero(*choice)
                } else {
                    UNITS[usize::from(first)]
                });
                1
            }
        };
        rest = &rest[taken..];
    }
    said
}

fn kept_digits(text: &str) -> usize {
    text.chars().filter(|c| words::digit_value(*c).is_some()).count()
}

proptest! {
    #[test]
    fn no_rendering_of_a_card_survives(number in card_number(), choices in choices()) {
        let said = say(&number, &choices);
        let text = format!("my card is {said} thank you");
        let redacted = redact(&text, &Tail::default());
        prop_assert_eq!(&*redacted.text, &format!("my card is {CARD_MARKER} thank you"), "said {}", said);
        let again = redact(&redacted.text, &Tail::default());
        prop_assert_eq!(&again.text, &redacted.text);
    }

    #[test]
    fn no_typed_card_survives_separators_and_letters_stuck_to_its_end(
        number in card_number(),
        separator in prop::sample::select(vec!["", " ", "-", "/", " / ", ", ", "."]),
        stuck in prop::sample::select(vec!["", "th", "and", "x"]),
    ) {
        let groups: Vec<String> = number.chunks(4).map(|group| group.iter().map(|digit| char::from(b'0' + digit)).collect()).collect();
        let typed = groups.join(separator);
        let redacted = redact_field(&format!("my card is {typed}{stuck}")).into_owned();
        prop_assert_eq!(redacted, format!("my card is {CARD_MARKER}{stuck}"), "typed {}", typed);
    }

    #[test]
    fn no_card_survives_two_turns(number in card_number(), choices in choices(), at in 1_usize..13, typed in any::<bool>()) {
        let (first, second) = number.split_at(at);
        let render = |digits: &[u8]| if typed {
            digits.iter().map(|digit| char::from(b'0' + digit)).collect()
        } else {
            // Digit by digit: a tail keeps the likeliest reading.
            say(digits, &choices.iter().map(|choice| Choice { style: 0, ..*choice }).collect::<Vec<_>>())
        };
        let (first, second) = (format!("my card number is {}", render(first)), render(second));
        let before = redact(&first, &Tail::default());
        let after = redact(&second, &before.tail);
        prop_assert!(before.text.contains("removed") || after.text.contains("removed"), "{:?} {:?}", before.text, after.text);
    }

    #[test]
    fn redaction_is_idempotent_and_never_panics(text in "([0-9a-c .,*#/-]|one|four|forty|hundred|double| oh | um |CVV|social|th| the code on the back | on the back |é|٤|４|\\[card number removed\\]){0,60}", tail in "([0-9]| ){0,20}") {
        let tail: Tail = serde_json::from_value(serde_json::json!({"d": tail, "c": true})).unwrap();
        let once = redact(&text, &tail);
        let twice = redact(&once.text, &tail);
        prop_assert_eq!(&once.text, &twice.text, "from {}", text);
    }

    #[test]
    fn any_text_is_redacted_without_a_panic(text in any::<String>()) {
        let once = redact(&text, &Tail::default());
        let twice = redact(&once.text, &Tail::default());
        prop_assert_eq!(&once.text, &twice.text);
    }

    #[test]
    fn ordinary_sentences_stay(
        area in 200_u16..1000, exchange in 200_u16..1000, line in 0_u16..10_000,
        house in 1_u16..9999, zip in 10_000_u32..99_999, dollars in 1_u32..99_999, cents in 0_u8..100,
        hour in 1_u8..13, minute in 0_u8..60, month in 1_u8..13, day in 1_u8..29, model in "[A-Z]{2}[0-9]{4}[A-Z][0-9]{3}",
        template in 0_usize..6,
    ) {
        let text = match template {
            0 => format!("call me at {area}-{exchange}-{line:04} about the invoice of ${dollars}.{cents:02}"),
            1 => format!("I'm at {house} Oak Street, {zip}, my phone is {area} {exchange} {line:04} extension {house}"),
            2 => format!("on 2025-{month:02}-{day:02} {hour}:{minute:02} it was {house} degrees"),
            3 => format!("the model is {model} and the part {house}-{zip}"),
            4 => format!("({area}) {exchange}-{line:04} or 1 {area} {exchange} {line:04}, zip {zip}-{line:04}"),
            _ => format!("{dollars} dollars at {hour} {minute:02} pm on {month}/{day}/2025"),
        };
        let redacted = redact(&text, &Tail::default());
        prop_assert_eq!(&*redacted.text, &text);
        prop_assert!(kept_digits(&redacted.text) > 0);
    }
}
