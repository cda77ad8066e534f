use super::*;

fn read_all(text: &str) -> Result<Vec<Item>, Vec<LineFault>> {
    let mut made = 0;
    read(text, || {
        made += 1;
        ObjectId::from_parts(made, [0; 8])
    })
}

#[track_caller]
fn kinds(text: &str) -> Vec<(Kind, usize, String)> {
    read_all(text)
        .unwrap()
        .into_iter()
        .map(|item| (item.kind, item.line, item.pointer))
        .collect()
}

#[track_caller]
fn refused(text: &str) -> Vec<(usize, String, String)> {
    read_all(text)
        .unwrap_err()
        .into_iter()
        .map(|fault| (fault.line, fault.pointer, fault.detail))
        .collect()
}

#[test]
fn each_form_of_line_is_recognised() {
    let text = concat!(
        "{\"type\":\"overlay\",\"document\":{\"companyId\":\"x\"}}\n",
        "\n",
        "{\"_id\":\"a\",\"name\":\"x\",\"phone\":\"+1\"}\r\n",
        "{\"_id\":\"b\",\"name\":\"x\",\"trade\":\"y\",\"categories\":[]}\n",
        "{\"question\":\"q\",\"answer\":\"a\",\"trade\":\"y\"}\n",
        "{\"question\":\"q\",\"answer\":\"a\",\"companyId\":\"y\"}\n",
        "{\"version\":\"1\",\"categories\":[{\"sentence\":\"s\"}]}\n",
        "{\"language\":\"en-US\",\"texts\":{}}",
    );
    let want = [
        (Kind::Overlay, 1, "/document"),
        (Kind::Company, 3, ""),
        (Kind::Template, 4, ""),
        (Kind::TradeQna, 5, ""),
        (Kind::Qna, 6, ""),
        (Kind::Safety, 7, ""),
        (Kind::Prompts, 8, ""),
    ];
    assert_eq!(
        kinds(text),
        want.map(|(kind, line, pointer)| (kind, line, pointer.to_owned()))
    );
}

#[test]
fn a_wrapper_gives_its_questions_their_company() {
    let text =
        r#"{"company":{"_id":{"$oid":"507f1f77bcf86cd799439011"},"name":"x"},"qna":[{"question":"q","answer":"a"}]}"#;
    let items = read_all(text).unwrap();
    assert_eq!(items[0].pointer, "/company");
    assert_eq!((items[1].kind, items[1].pointer.as_str()), (Kind::Qna, "/qna/0"));
    assert_eq!(items[1].document["companyId"], "507f1f77bcf86cd799439011");
    assert_eq!(items[1].document["id"], "000000010000000000000000");
}

#[test]
fn a_company_without_an_id_gets_one_and_its_questions_follow() {
    let items = read_all(r#"{"company":{"name":"x"},"qna":[{"question":"q","answer":"a"}]}"#).unwrap();
    assert_eq!(items[0].document["_id"], "000000010000000000000000");
    assert_eq!(items[1].document["companyId"], "000000010000000000000000");
}

#[test]
fn a_question_of_another_company_does_not_fit_in_a_wrapper() {
    let text =
        r#"{"company":{"_id":"507f1f77bcf86cd799439011"},"qna":[{"id":"q","companyId":"507f1f77bcf86cd799439012"}]}"#;
    let faults = refused(text);
    assert_eq!((faults[0].0, faults[0].1.as_str()), (1, "/qna/0/companyId"));
}

#[test]
fn values_may_span_lines_and_stand_in_lists() {
    let text = "{\n \"phone\": \"+1\"\n}\n\n[\n{\"question\":\"q\",\"answer\":\"a\",\"trade\":\"y\"},\n{\"question\":\"q\",\"answer\":\"a\",\"trade\":\"y\"}]";
    assert_eq!(
        kinds(text),
        [
            (Kind::Company, 1, String::new()),
            (Kind::TradeQna, 5, "/0".to_owned()),
            (Kind::TradeQna, 5, "/1".to_owned()),
        ]
    );
}

#[test]
fn every_broken_line_is_named() {
    let text = "{\"phone\":\"+1\"}\n{\"phone\" \"+1\"}\n{\"phone\":\"+1\"}\nnonsense\n{\"type\":\"compny\",\"document\":{}}\n{\"colour\":1}\n7";
    let faults = refused(text);
    let at: Vec<_> = faults
        .iter()
        .map(|(line, pointer, _)| (*line, pointer.as_str()))
        .collect();
    assert_eq!(at, [(2, ""), (4, ""), (5, "/type"), (6, ""), (7, "")]);
    assert!(faults[0].2.starts_with("is no JSON: expected `:`"), "{}", faults[0].2);
    assert!(faults[2].2.ends_with("did you mean \"company\"?"), "{}", faults[2].2);
}

#[test]
fn a_cut_file_is_named_at_its_end() {
    let faults = refused("{\"phone\":\"+1\"}\n{\"phone\":");
    assert_eq!(faults[0].0, 2);
}

/// The lines that have faults.
#[track_caller]
fn check_lines(text: &str, want: &[usize]) {
    let lines: Vec<usize> = refused(text).iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, want, "{text}\n{:?}", refused(text));
}

#[test]
fn a_cut_line_is_named_itself_and_hides_no_other() {
    check_lines("{\"phone\":\n{\"phone\":\"+1\"}\n{\"colour\":1}\n", &[1, 3]);
    check_lines("{\"phone\":\"+1\"\n{\"phone\":\"+1\"}\n7\n", &[1, 3]);
    check_lines(
        "{\"phone\":\"+1\"}\n{\"phone\":\"+\n{\"phone\":\"+1\"}\n{\"colour\":1}",
        &[2, 4],
    );
    check_lines(
        "{\"phone\":\n{\"phone\":{\n{\"phone\" 1}\n{\"phone\":\"+1\"}\n",
        &[1, 2, 3],
    );
    check_lines("[{\"phone\":\"+1\"},{\"pho\r\n{\"colour\":1}\r\n", &[1, 2]);
    check_lines("{\"phone\":\n{\n \"phone\": \"+1\"\n}\n{\"colour\":1}\n", &[1, 5]);
    check_lines("nonsense\nmore\n{\"phone\":\"+1\"}\n7\n", &[1, 2, 4]);
}

#[test]
fn the_fault_of_a_document_over_several_lines_is_named_where_it_stands() {
    check_lines("{\n \"phone\": \"+1\",\n \"name\" 5\n}\n{\"colour\":1}\n", &[3, 5]);
    check_lines("{\n \"phone\": \"+1\",\n \"name\":\n{\n \"colour\": 1\n}\n", &[3, 4]);
    let item = "{\"question\":\"q\",\"answer\":\"a\",\"trade\":\"y\"}";
    check_lines(
        &format!("[\n{item},\n{{\"question\" 1}},\n{item}\n]\n{{\"colour\":1}}\n")[..],
        &[3, 5, 6],
    );
    check_lines(&format!("[\n{item},\n{item},\n"), &[3]);
}

#[test]
fn a_large_broken_import_takes_linear_time() {
    let cut = "{\"phone\":\n".repeat(5_000);
    assert_eq!(refused(&cut).len(), 5_000);
    let nested = "{\"a\":[\n".repeat(5_000);
    assert!(!refused(&nested).is_empty());
    let items = format!("[\n{}", "{\"phone\":\"+1\"},\n".repeat(5_000));
    assert_eq!(refused(&items).len(), 1);
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(read_all(" \n\n"), Ok(vec![]));
}

#[test]
fn a_question_of_mongodb_keeps_its_id() {
    let text = r#"{"_id":{"$oid":"507f1f77bcf86cd799439011"},"question":"q","answer":"a","trade":"y"}"#;
    assert_eq!(read_all(text).unwrap()[0].document["id"], "507f1f77bcf86cd799439011");
}
