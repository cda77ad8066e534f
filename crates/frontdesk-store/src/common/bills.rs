//! What a hold is charged.

use frontdesk_domain::{ids::LedgerEntryId, money::PicoUsd};
use tracing::error;

use crate::ports::Bill;

/// What of a bill is charged for a hold: never more than that, and all of it where no usage was told.
pub(crate) fn chargeable(id: LedgerEntryId, bill: &Bill, hold: PicoUsd) -> PicoUsd {
    let amount = match bill.usage {
        Some(_) => bill.amount.min(hold).max(PicoUsd::ZERO),
        None => hold,
    };
    if amount != bill.amount {
        error!(entry = %id, billed_usd = %bill.amount, hold_usd = %hold, charged_usd = %amount,
            "a bill does not go with its hold; the charge was corrected");
    }
    amount
}
