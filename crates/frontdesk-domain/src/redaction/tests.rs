use super::*;

const CARD: &str = CARD_MARKER;
const SOCIAL: &str = SOCIAL_MARKER;
const CODE: &str = CODE_MARKER;

#[track_caller]
fn check(text: &str, expected: &str) {
    let redacted = redact(text, &Tail::default());
    assert_eq!(redacted.text, expected, "redacting {text:?}");
    let again = redact(&redacted.text, &Tail::default());
    assert_eq!(again.text, redacted.text, "redacting {text:?} twice");
    assert!(again.found.is_empty());
    assert_eq!(redacted.found.is_empty(), text == expected);
}

#[track_caller]
fn unchanged(text: &str) {
    check(text, text);
    assert!(
        matches!(redact(text, &Tail::default()).text, Cow::Borrowed(_)),
        "{text:?} was copied"
    );
}

/// The turns of one call, each after redaction.
#[track_caller]
fn check_call(turns: &[(&str, &str)]) {
    let mut tail = Tail::default();
    for (text, expected) in turns {
        let redacted = redact(text, &tail);
        assert_eq!(redacted.text, *expected, "redacting {text:?} after {tail:?}");
        assert_eq!(
            redact(&redacted.text, &tail).text,
            redacted.text,
            "redacting {text:?} twice"
        );
        tail = redacted.tail;
    }
}

fn join(parts: &[&str]) -> String {
    parts.concat()
}

#[test]
fn a_typed_card_is_removed_however_it_is_grouped() {
    for card in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111, 1111, 1111, 1111",
        "4111 – 1111 – 1111 – 1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "41 11 11 11 11 11 11 11",
        "5555 5555 5555 4444",
        "2223 0031 2200 3222",
        "3782 822463 10005",
        "378282246310005",
        "3056 930902 5904",
        "3852 000002 3237",
        "6011 1111 1111 1117",
        "3530 1113 3330 0000",
        "6200 0000 0000 0005",
        "4222222222222",
        "6759 6498 2643 8453",
        "4539 1488\u{a0}0343 6467",
        "４１１１ １１１１ １１１１ １１１１",
        "4111\u{200b}1111\u{200b}1111\u{200b}1111",
        "4111*1111*1111*1111#",
        "(4111) 1111 1111 1111",
        "4111 um 1111, okay, 1111 and then 1111",
        "4539 1488 0343 6467th",
        "4539-1488-0343-6467and",
        "378282 246310 005th",
        "4539/1488/0343/6467",
        "4539 / 1488 / 0343 / 6467",
        "45/39/14/88/03/43/64/67",
        "3782/822463/10005",
        "4539/1488/0343/6467th",
    ] {
        let text = format!("my card is {card} thanks");
        let redacted = redact(&text, &Tail::default());
        assert!(
            redacted.text.starts_with(&join(&["my card is ", CARD])) || redacted.text.contains(CARD),
            "{text}"
        );
        assert!(
            !redacted.text.chars().any(|c| words::digit_value(c).is_some()),
            "{text} -> {}",
            redacted.text
        );
    }
}

#[test]
fn a_spoken_card_is_removed() {
    for card in [
        "four one one one one one one one one one one one one one one one",
        "Four One One One, one one one one, one one one one. One one one one.",
        "four triple one double one double one double one double one triple one one",
        "forty-one eleven eleven eleven eleven eleven eleven eleven",
        "forty one eleven uh eleven eleven um eleven eleven and then eleven eleven",
        "forty one hundred eleven one one one one one one one one two two",
        "4111 one one one one double one 11 eleven eleven",
        "four five three nine one four eight eight oh three four three six four six seven",
        "forty five thirty nine fourteen eighty eight o three forty three sixty four sixty seven",
        "four five three nine, one four eight eight, zero three four three, six four six seven",
        "forty five three nine one four double eight zero three four three six four six seven",
        "37 82 eighty two 24 sixty three 10 double oh five",
        "okay so it's uh four five three nine let me see one four eight eight hold on oh three four three okay six four six seven",
    ] {
        let text = format!("yes it is {card}");
        let redacted = redact(&text, &Tail::default());
        assert!(redacted.text.contains(CARD), "{text} -> {}", redacted.text);
        assert!(!redacted.text.contains("one"), "{text} -> {}", redacted.text);
    }
}

#[test]
fn what_surrounds_a_card_stays() {
    check(
        "my card is 4111 1111 1111 1111 and I live at 4411 Oak Street",
        &join(&["my card is ", CARD, " and I live at 4411 Oak Street"]),
    );
    check("4111 1111 1111 1111 expires 12/27", &join(&[CARD, " expires 12/27"]));
    check("4111 1111 1111 1111, 12 27, 123", &join(&[CARD, ", 12 27, 123"]));
    check("41111111111111111227", &join(&[CARD, "1227"]));
    check(
        "this one four one one one one one one one one one one one one one one one",
        &join(&["this one ", CARD]),
    );
    check("visa4111111111111111", &join(&["visa", CARD]));
    check("visa4539 1488 0343 6467 thanks", &join(&["visa", CARD, " thanks"]));
    check("4539 1488 0343 6467th street", &join(&[CARD, "th street"]));
    check("4539 1488 0343 6467 on 5th street", &join(&[CARD, " on 5th street"]));
    check("4539 1488 0343 6467 12/27", &join(&[CARD, " 12/27"]));
    check("card:4111111111111111.", &join(&["card:", CARD, "."]));
    check(
        "first 4111 1111 1111 1111 second 5555 5555 5555 4444",
        &join(&["first ", CARD, " second ", CARD]),
    );
}

#[test]
fn a_social_security_number_is_removed() {
    check("it's 123-45-6789", &join(&["it's ", SOCIAL]));
    check("it's 123 45 6789.", &join(&["it's ", SOCIAL, "."]));
    check("123.45.6789", SOCIAL);
    check("one two three, four five, six seven eight nine", SOCIAL);
    check("one two three dash four five dash six seven eight nine", SOCIAL);
    check("1 2 3 - 4 5 - 6 7 8 9", SOCIAL);
    check("my social is 123456789", &join(&["my social is ", SOCIAL]));
    check(
        "my Social Security number is, um, one two three four five six seven eight nine",
        &join(&["my Social Security number is, um, ", SOCIAL]),
    );
    check("SSN 123 456 789", &join(&["SSN ", SOCIAL]));
    check("it's 123/45/6789", &join(&["it's ", SOCIAL]));
    check("123-45-6789th", &join(&[SOCIAL, "th"]));
    check(
        "my social is 123456789 12th street",
        &join(&["my social is ", SOCIAL, " 12th street"]),
    );
    check(
        "my social is 123456789 on 5th street",
        &join(&["my social is ", SOCIAL, " on 5th street"]),
    );
    check(
        "s s n is one twenty three forty five sixty seven eighty nine",
        &join(&["s s n is ", SOCIAL]),
    );
    check(
        "social 123-45-6789 and my phone is 937-555-0123",
        &join(&["social ", SOCIAL, " and my phone is 937-555-0123"]),
    );
}

#[test]
fn a_security_code_is_removed() {
    check("my CVV is 123", &join(&["my CVV is ", CODE]));
    check("the cvc 1234 okay", &join(&["the cvc ", CODE, " okay"]));
    check("c v v one two three", &join(&["c v v ", CODE]));
    check("C.V.V. is 1 2 3", &join(&["C.V.V. is ", CODE]));
    check(
        "the security code on the back of the card is one twenty three",
        &join(&["the security code on the back of the card is ", CODE]),
    );
    check(
        "security code three hundred twenty one",
        &join(&["security code ", CODE]),
    );
    check(
        "the digits on the back are 987",
        &join(&["the digits on the back are ", CODE]),
    );
    check(
        "the 3 digits on the back are 987",
        &join(&["the 3 digits on the back are ", CODE]),
    );
    check(
        "four digits on the front, 9 8 7 6",
        &join(&["four digits on the front, ", CODE]),
    );
    check(
        "the last three on the back nine eight seven",
        &join(&["the last three on the back ", CODE]),
    );
    check("cvv double five six", &join(&["cvv ", CODE]));
    check("CVV2: 123", &join(&["CVV2: ", CODE]));
    check("CVV123", &join(&["CVV", CODE]));
    check(
        "the code on the back is 4821",
        &join(&["the code on the back is ", CODE]),
    );
    check(
        "my code that's on the front is four eight two one",
        &join(&["my code that's on the front is ", CODE]),
    );
    check(
        "the code on the back of my card is 482",
        &join(&["the code on the back of my card is ", CODE]),
    );
    check(
        "4111 1111 1111 1111 expiration 12 27 cvv 123 and I'm at 4411 Oak",
        &join(&[CARD, " expiration 12 27 cvv ", CODE, " and I'm at 4411 Oak"]),
    );
}

#[test]
fn ordinary_numbers_stay() {
    for text in [
        "2024-01-15 12 30",
        "2024-01-15 12:30:45",
        "it cost $1,499.99 and then $2,599.99",
        "call me at 937-555-0123",
        "call me at (937) 555-0123 extension 4411",
        "nine three seven five five five oh one two three",
        "1 937 555 0123",
        "my numbers are 513 555 0123 and 513 555 0144",
        "five one three five five five oh one two three five one three five five five oh one four four",
        "five one three, five five five, oh one two three, five one three, five five five, oh one four four",
        "45402-1234",
        "4411 Oak Street Dayton Ohio 45402-1234",
        "forty four eleven oak street four five four oh two",
        "the model is 4TTR4036L1000A serial 17243KLM5F",
        "model number 24ABC636A003",
        "between 8 and 5 on the 15th of January 2025",
        "I was quoted one thousand four hundred ninety nine dollars",
        "two hundred fifty dollars for the first, three hundred twenty for the other",
        "at one thirty or two forty five",
        "my code for the gate is 4411 on the side",
        "the unit is from nineteen ninety eight",
        "4111 1111 1111 1112",
        "filter size 16 25 1, and the other one 20 by 25 by 4",
        "the security guard is at 4411",
        "is there a social worker at 937 555 0123",
        "one second please, one more thing",
        "oh no",
        "security code costs 150 dollars",
        "I can't find the security code, call 937 555 0123",
        "order 1234567890",
        "my confirmation is 123456789",
        "the digits 12345",
        "error code 123 on the front of the furnace",
        "there are 3 lights on the back",
        "PO 4411, PO 4412",
        "192.168.100.200 12.30.45",
        "12/25/2026 at 937-555-0123",
        "5/25/2026 937-555-0123",
        "2026/11/25, 10:30, 4411 5th Street",
        "24/7 service for 16/25/1 filters",
        "937/555/0123",
        "4411 45th Street 45402",
        "the 15th or the 22nd, call 937 555 0123 by the 3rd",
        "4111 1111 1111 1112th",
        "model XR15 4411 and 24ABC 636",
        "R410A 13 SEER 3ton",
        "the error code on the front is 123",
        "the code on the back of the furnace is 4821",
        "the gate code on the back door is 4411",
        "the code on the panel is 4411",
        "1/2 inch and 3/4 inch, 5/8",
        "it was 1499/month",
    ] {
        unchanged(text);
    }
}

#[test]
fn text_without_numbers_is_not_copied() {
    for text in [
        "",
        " ",
        "my furnace is making a noise",
        "no heat",
        "¿habla español?",
        "🔥🔥🔥",
        "a\0b",
        "it's the front's side",
    ] {
        unchanged(text);
    }
    assert!(words::is_plain("the back of my furnace leaks and it's loud"));
    assert!(!words::is_plain("'one two'"));
}

#[test]
fn a_card_read_in_two_halves_is_not_kept_whole() {
    check_call(&[
        ("my card number is 4539 1488", "my card number is 4539 1488"),
        ("0343 6467", CARD),
    ]);
    check_call(&[
        (
            "four five three nine one four eight eight um",
            "four five three nine one four eight eight um",
        ),
        (
            "okay and then oh three four three six four six seven thanks",
            &join(&["okay and then ", CARD, " thanks"]),
        ),
    ]);
    check_call(&[
        ("4539", "4539"),
        ("1488", "1488"),
        ("okay 0343", "okay 0343"),
        ("6467", CARD),
    ]);
    check_call(&[("453914880343646 hold on", "453914880343646 hold on"), ("7", CARD)]);
    check_call(&[("4", "4"), ("539148803436467", CARD)]);
    check_call(&[("4539 1488", "4539 1488"), ("0343 6467th", &join(&[CARD, "th"]))]);
    check_call(&[
        ("4539 1488 0343", "4539 1488 0343"),
        ("my 2nd card", "my 2nd card"),
        ("6467", CARD),
    ]);
    check_call(&[("4539 1488 0343", "4539 1488 0343"), ("6467th", &join(&[CARD, "th"]))]);
    check_call(&[
        ("it is 4539 1488 hold on", "it is 4539 1488 hold on"),
        ("just let me find my glasses", "just let me find my glasses"),
        (
            "the rest is 0343 6467 and I live at 12 Elm",
            &join(&["the rest is ", CARD, " and I live at 12 Elm"]),
        ),
    ]);
    check_call(&[
        ("4539 1488", "4539 1488"),
        ("0343 6467 CVV 123", &join(&[CARD, " CVV ", CODE])),
    ]);
}

#[test]
fn what_was_announced_is_removed_in_the_next_turn() {
    check_call(&[("my CVV is", "my CVV is"), ("123", CODE), ("4411", "4411")]);
    check_call(&[
        ("the security code um", "the security code um"),
        ("it's one two three", &join(&["it's ", CODE])),
    ]);
    check_call(&[("cvv is 1", "cvv is 1"), ("23", CODE)]);
    check_call(&[("the code on the back is", "the code on the back is"), ("4821", CODE)]);
    check_call(&[
        ("my social is", "my social is"),
        ("uh hold on", "uh hold on"),
        ("123456789", SOCIAL),
    ]);
    check_call(&[("my social is 123 45", "my social is 123 45"), ("6789", SOCIAL)]);
    check_call(&[("123-45", "123-45"), ("6789", SOCIAL)]);
}

#[test]
fn turns_that_do_not_belong_together_stay() {
    check_call(&[
        ("I live at 4411 Oak Street", "I live at 4411 Oak Street"),
        ("937 555 0123", "937 555 0123"),
    ]);
    check_call(&[("937 555", "937 555"), ("0123", "0123")]);
    check_call(&[
        ("4539 1488", "4539 1488"),
        (
            "never mind I want to talk about my furnace it does not heat",
            "never mind I want to talk about my furnace it does not heat",
        ),
        ("0343 6467", "0343 6467"),
    ]);
    check_call(&[("4539 1488 0343 6467", CARD), ("4411", "4411")]);
}

#[test]
fn a_caller_keeps_a_number_that_passes_a_cards_check() {
    // Mobile numbers of Germany and Brazil, as long as cards and with their check digit.
    for number in ["+4915112345678", "+5511987654325", "+15551234567"] {
        assert_eq!(redact_caller(number), number);
    }
    assert!(
        redact_field("+4915112345678").contains(CARD_MARKER),
        "the numbers above are such"
    );
    assert_eq!(redact_caller("client:anna"), "client:anna");
    assert_eq!(redact_caller("4111 1111 1111 1111"), CARD_MARKER);
}

#[test]
fn a_tail_is_small_and_shows_no_digit() {
    let tail = redact("45391488 0343 6467 9999 12 34 56 78 90 12", &Tail::default()).tail;
    let sealed = serde_json::to_string(&tail).unwrap();
    assert!(sealed.len() <= 60, "{sealed}");
    assert!(!format!("{tail:?}").contains('4'), "{tail:?}");
    assert_eq!(serde_json::from_str::<Tail>(&sealed).unwrap(), tail);
    assert_eq!(serde_json::to_string(&Tail::default()).unwrap(), "{}");
    let hostile: Tail = serde_json::from_str(r#"{"d":"ab 12 é"}"#).unwrap();
    let _ = redact("4111 1111 1111 1111", &hostile);
}

#[test]
fn a_long_text_takes_linear_time() {
    let digits = "four ".repeat(13_000);
    let _ = redact(&digits, &Tail::default());
    let cards = "4111 1111 1111 1111 ".repeat(3_000);
    assert!(!redact(&cards, &Tail::default()).text.contains("1111"));
    let mixed = "12 um 3456, forty one hundred and eleven oh ".repeat(1_500);
    let _ = redact(&mixed, &Tail::default());
}

mod properties;
