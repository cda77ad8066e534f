//! Where the rotations of fallbacks go on.

use std::collections::BTreeMap;

use frontdesk_domain::{decision::FallbackKind, documents::company::LastUsedIndex, ids::CompanyId, record::TurnRecord};

/// What an import says was used last, by kind.
pub(crate) fn given(last_used: LastUsedIndex) -> impl Iterator<Item = (FallbackKind, u32)> {
    let LastUsedIndex {
        clarification,
        no_match,
        technical,
        out_of_scope,
    } = last_used;
    let given = [
        (FallbackKind::ClarificationNeeded, clarification),
        (FallbackKind::NoMatchFound, no_match),
        (FallbackKind::TechnicalIssue, technical),
        (FallbackKind::OutOfScope, out_of_scope),
    ];
    given.into_iter().filter_map(|(kind, last)| Some((kind, last?)))
}

/// Of each company and kind, which variation these turns, in their order, spoke last.
pub(crate) fn spoken_last(turns: &[TurnRecord]) -> BTreeMap<(CompanyId, FallbackKind), u32> {
    let spoken = turns.iter().filter_map(|turn| {
        let kind = turn.decision.fallback_type?;
        Some(((turn.decision.company_id, kind), turn.variation?))
    });
    spoken.collect()
}
