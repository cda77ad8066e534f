//! Step 5, after what the utterance equals: the company's own Q&A, then its trades' Q&A.

use frontdesk_matching::knowledge::Source;

use crate::{
    answer::Answer,
    gatekeeper::Miss,
    rules::{RuleFindings, Verdict},
    trace::Trace,
};

/// The answer of a Q&A that is sure enough.
pub(crate) fn answer(asked: &RuleFindings<'_>, trace: &mut Trace) -> Result<Answer, Miss> {
    let mut miss = Miss::default();
    for source in [Source::CompanyQna, Source::TradeQna] {
        match asked.best(source, trace) {
            Verdict::Answer(answer) => return Ok(answer),
            Verdict::Below(nearest) => miss.note(nearest),
        }
    }
    Err(miss)
}
