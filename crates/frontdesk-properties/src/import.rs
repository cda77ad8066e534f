//! The text of an import.

use frontdesk_domain::{
    documents::{
        Faults, Mode,
        company::Company,
        import::{self, Item, Kind, LineFault},
        overlay::Overlay,
        prompts::Prompts,
        qna::Qna,
        safety::SafetyRules,
        template::Template,
    },
    ids::ObjectId,
};
use serde_json::{Map, Value};

use crate::company::assert_named;

/// Every document and every fault has a line of the text, in order; what stands alone on its line is judged alone; and a
/// document that gets in is read back as the same one.
///
/// # Panics
/// That does not hold.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let lines = text.matches('\n').count() + 1;
    let read = read(&text);
    match &read {
        Ok(items) => {
            assert_lines(items.iter().map(|item| item.line), lines);
            for item in items {
                assert_read(item);
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a fault");
            assert!(faults.iter().all(|fault| !fault.detail.trim().is_empty()));
            let mut at: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
            at.sort_unstable();
            assert_lines(at.into_iter(), lines);
        }
    }
    let is_value = |line: &str| line.trim().is_empty() || serde_json::from_str::<Value>(line).is_ok();
    if text.split('\n').all(is_value) {
        assert_eq!(read, one_by_one(&text), "each line is judged alone");
    }
}

type Read = Result<Vec<Item>, Vec<LineFault>>;

fn read(text: &str) -> Read {
    import::read(text, || ObjectId::from_parts(0, [0; 8]))
}

/// What is read of each line by itself.
fn one_by_one(text: &str) -> Read {
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    for (before, line) in text.split('\n').enumerate() {
        match read(line) {
            Ok(found) => items.extend(found.into_iter().map(|item| Item {
                line: item.line + before,
                ..item
            })),
            Err(found) => faults.extend(found.into_iter().map(|fault| LineFault {
                line: fault.line + before,
                ..fault
            })),
        }
    }
    if faults.is_empty() { Ok(items) } else { Err(faults) }
}

fn assert_lines(found: impl Iterator<Item = usize>, lines: usize) {
    let mut last = 1;
    for line in found {
        assert!((last..=lines).contains(&line), "line {line} after {last}, of {lines}");
        last = line;
    }
}

fn assert_read(item: &Item) {
    match parsed(item.kind, &item.document, Mode::Import) {
        Ok(json) => {
            let canonical = Value::Object(json.clone());
            match parsed(item.kind, &canonical, Mode::Stored) {
                Ok(again) => assert_eq!(again, json, "what is stored is read back"),
                Err(faults) => panic!("what got in is refused when it is read back: {faults}"),
            }
        }
        Err(faults) => assert_named(&faults),
    }
}

fn parsed(kind: Kind, document: &Value, mode: Mode<'_>) -> Result<Map<String, Value>, Faults> {
    Ok(match kind {
        Kind::Company => Company::parse(document, mode)?.json,
        Kind::Template => Template::parse(document, mode)?.json,
        Kind::Qna => Qna::parse_of_company(document, mode)?.1.json,
        Kind::TradeQna => Qna::parse_of_trade(document, mode)?.1.json,
        Kind::Overlay => Overlay::parse_owned(document, mode)?.1.json,
        Kind::Safety => SafetyRules::parse(document, mode)?.json,
        Kind::Prompts => Prompts::parse(document, mode)?.json,
    })
}
