use super::*;
use proptest::prelude::*;

fn check(body: &str, pairs: &[(&str, &str)]) {
    let form = Form::parse(body.as_bytes()).expect(body);
    assert_eq!(form.pairs().collect::<Vec<_>>(), pairs, "{body}");
    assert_eq!(form.len(), pairs.len());
    assert_eq!(form.is_empty(), pairs.is_empty());
}

fn check_fault(body: &[u8], fault: FormError) {
    assert_eq!(Form::parse(body), Err(fault), "{:?}", String::from_utf8_lossy(body));
    assert!(fault.offset() < body.len());
}

#[test]
fn an_empty_body_is_an_empty_form() {
    check("", &[]);
    check("&&", &[]);
}

#[test]
fn order_repeats_and_empty_values_are_kept() {
    check(
        "b=2&a=1&b=1&c=&b=2",
        &[("b", "2"), ("a", "1"), ("b", "1"), ("c", ""), ("b", "2")],
    );
}

#[test]
fn values_are_not_trimmed() {
    check(
        "a=++two++&b=%20&c=%0D%0A",
        &[("a", "  two  "), ("b", " "), ("c", "\r\n")],
    );
}

#[test]
fn a_parameter_without_an_equals_sign_has_an_empty_value() {
    check("a&b=&=c&=", &[("a", ""), ("b", ""), ("", "c"), ("", "")]);
}

#[test]
fn only_the_first_equals_sign_separates() {
    check("a=b=c&d==", &[("a", "b=c"), ("d", "=")]);
}

#[test]
fn plus_is_a_blank_and_an_escaped_plus_is_a_plus() {
    check("a+b=c%2Bd", &[("a b", "c+d")]);
}

#[test]
fn escapes_take_either_case_and_decode_once() {
    check(
        "a=%c3%A9%C3%a9&b=%2541&c=%26%3D%25",
        &[("a", "éé"), ("b", "%41"), ("c", "&=%")],
    );
}

#[test]
fn raw_utf8_and_nul_are_kept() {
    check("名=🙂&n=%00", &[("名", "🙂"), ("n", "\0")]);
}

#[test]
fn a_semicolon_does_not_separate() {
    check("a=1;b=2", &[("a", "1;b=2")]);
}

#[test]
fn the_first_of_several_values_is_found() {
    let form = Form::parse(b"a=&b=1&b=2").unwrap();
    assert_eq!(form.first("b"), Some("1"));
    assert_eq!(form.first("a"), Some(""));
    assert_eq!(form.first("B"), None);
}

#[test]
fn bad_percent_encoding_is_refused_with_its_place() {
    for (body, offset) in [
        (&b"a=%"[..], 2),
        (b"a=%4", 2),
        (b"a=%zz", 2),
        (b"a=%4g&b=1", 2),
        (b"a=1&%=2", 4),
        (b"a=%41%&b", 5),
        (b"a=50% off", 4),
        (b"a=%+1", 2),
        (b"a=%4=1", 2),
    ] {
        check_fault(body, FormError::Percent { offset });
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_their_place() {
    for (body, offset) in [
        (&b"a=\xff"[..], 2),
        (b"a=ok%FF", 4),
        (b"a=%C3", 2),
        (b"x=1&%C3%28=1", 4),
        (b"a=%ED%A0%80", 2), // a surrogate
        (b"a=%C0%AF", 2),    // an overlong slash
        (b"a=%F0%9F%99", 2),
    ] {
        check_fault(body, FormError::Utf8 { offset });
    }
}

#[test]
fn a_character_cannot_be_split_between_neighbours() {
    check_fault(b"a=%C3&%A9=b", FormError::Utf8 { offset: 2 });
    check_fault(b"%C3=%A9", FormError::Utf8 { offset: 0 });
}

#[test]
fn forms_are_known_by_their_content_type() {
    for header in [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-URLencoded;charset=utf-8",
        " application/x-www-form-urlencoded ;",
    ] {
        assert!(is_form_content_type(header.as_bytes()), "{header}");
    }
    for header in [
        "",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded2",
        "text/plain",
    ] {
        assert!(!is_form_content_type(header.as_bytes()), "{header}");
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_back(pairs: Vec<(String, String)>) {
        let form: Form = pairs.iter().map(|(name, value)| (name, value)).collect();
        let read = Form::parse(form.encode().as_bytes()).unwrap();
        prop_assert_eq!(read.pairs().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>(), pairs);
        prop_assert_eq!(read, form);
    }

    #[test]
    fn any_bytes_are_read_or_refused_at_a_place_within(body: Vec<u8>) {
        if let Err(fault) = Form::parse(&body) {
            prop_assert!(fault.offset() < body.len());
        }
    }

    #[test]
    fn near_forms_are_read_or_refused_at_a_place_within(body in "[a=&%+C39é0]{0,40}") {
        if let Err(fault) = Form::parse(body.as_bytes()) {
            prop_assert!(fault.offset() < body.len());
        }
    }
}
