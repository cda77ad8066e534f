//! What every backend does. A case gets an empty store; `reopen` opens the same store as another process would.

use std::sync::Arc;

use frontdesk_store::ports::Backend;
use futures_util::future::BoxFuture;

pub(crate) mod analytics;
pub(crate) mod bills;
pub(crate) mod calls;
pub(crate) mod centre;
pub(crate) mod companies;
pub(crate) mod contacts;
pub(crate) mod documents;
pub(crate) mod health;
pub(crate) mod holds;
pub(crate) mod imports;
pub(crate) mod leases;
pub(crate) mod ledger;
pub(crate) mod notices;
pub(crate) mod recordings;
pub(crate) mod snapshots;
pub(crate) mod telling;

/// A store to be tried.
pub(crate) struct Given {
    pub(crate) store: Arc<dyn Backend>,
    pub(crate) reopen: Box<dyn Fn() -> BoxFuture<'static, Arc<dyn Backend>>>,
}

/// Makes a test of each case for a backend; `$given` makes an empty store and what must outlive it, or says why there
/// is none, and `$end` clears away what it has made.
macro_rules! run_all {
    ($given:path, $end:path) => {
        $crate::conformance::run_all!(@ $given, $end,
            companies: [
                a_company_is_read_as_it_was_written, a_taken_id_or_number_is_refused_by_name,
                a_number_that_was_given_up_is_free, references_to_nothing_are_refused_with_their_place,
                a_stale_write_is_refused, pages_go_on_after_what_was_deleted,
                a_deleted_company_takes_its_documents_along_and_leaves_its_calls, secrets_come_back,
                an_acknowledged_write_is_there_after_reopening,
            ],
            documents: [
                a_template_in_use_stays, a_template_is_replaced_by_revision, qnas_keep_the_order_in_which_they_were_made,
                a_page_of_qnas_goes_on_after_a_deleted_one, a_companys_documents_need_the_company,
                trades_are_one_whatever_their_case, a_singleton_is_put_by_revision, prompts_are_listed_by_language,
            ],
            imports: [
                an_import_writes_all_and_checks_at_the_end, a_refused_import_leaves_nothing,
                imported_companies_may_exchange_numbers, an_import_opens_the_month_once,
                spend_of_an_earlier_month_opens_nothing, an_import_sets_the_rotation_going,
                an_import_leaves_the_secrets_that_it_does_not_bring,
                a_new_shared_key_without_its_secret_is_refused_with_its_place,
            ],
            calls: [
                a_turn_is_kept_once, calls_are_listed_newest_first_in_pages, calls_are_filtered,
                the_ending_is_that_of_the_last_turn_whatever_comes_first, a_call_is_its_companys_alone,
                an_answer_is_found_by_its_turn_for_a_while, the_end_of_a_call_is_noted_once,
                the_turns_of_recent_calls_are_listed_newest_first,
            ],
            analytics: [
                rollups_are_what_the_turns_add_up_to, a_wrong_rollup_is_corrected_by_counting_again,
                what_nothing_matched_is_kept_as_long_as_its_turn, what_nothing_matched_is_found_again_from_the_turns,
                an_erased_caller_is_gone_and_nobody_else,
            ],
            notices: [
                a_recording_is_one_message, a_time_to_call_back_may_come_later, messages_are_listed_newest_first,
                another_companys_message_is_not_touched,
                alerts_of_one_kind_are_one_notification, an_acknowledged_notification_counts_on,
                rotation_numbers_are_unique, what_was_spoken_last_is_remembered, it_answers_a_ping,
            ],
            centre: [
                a_notification_goes_from_state_to_state, a_resolved_notification_is_reopened_unless_another_is_open,
                a_condition_that_ended_resolves_its_own_notification, notifications_are_filtered,
                what_changed_is_found_in_order, a_group_of_alerts_is_added_once,
            ],
            contacts: [
                a_contact_is_read_as_it_was_written, a_stale_contact_is_not_written, it_is_decided_once_whom_to_tell,
                a_snoozed_notification_is_due_when_it_is_raised_again, a_delivery_is_tried_until_it_is_sent_or_given_up,
                who_was_told_without_the_store_is_not_told_again, deliveries_to_a_deleted_contact_are_given_up,
                what_is_over_for_long_is_deleted_with_its_deliveries,
            ],
            telling: [
                an_event_opens_an_acknowledged_notification_again, a_condition_leaves_an_acknowledged_notification_alone,
                a_symptom_that_comes_back_after_a_quiet_day_begins_anew,
                who_acknowledges_does_not_silence_events_that_nobody_was_told_of,
                the_most_severe_goes_first_past_what_is_busy,
            ],
            recordings: [
                messages_are_filtered, words_are_found_page_by_page, a_recording_is_due_until_it_is_kept,
                a_recording_that_was_given_up_is_not_due, the_address_of_a_recording_may_come_later,
                audio_is_its_companys_alone, a_purge_deletes_what_is_older_and_nothing_else,
                a_deleted_company_keeps_its_retention,
            ],
            holds: [
                what_does_not_fit_is_refused_and_what_fits_is_not, a_limit_of_nothing_holds_nothing,
                the_limit_is_the_stored_companys_at_that_instant, the_platform_has_a_cap_of_its_own,
                an_attempt_of_a_turn_holds_once, entries_are_listed_newest_first_in_pages, imported_spend_counts,
                a_refused_import_spends_nothing, the_ledger_is_there_after_reopening,
                what_companies_have_spent_of_a_month_is_listed_by_company,
                of_many_at_once_as_many_hold_as_fit, of_many_at_once_through_two_stores_as_many_hold_as_fit,
            ],
            bills: [
                a_hold_is_charged_as_billed, another_price_of_the_bill_is_kept, what_is_closed_stays_as_it_is,
                a_hold_of_october_is_settled_in_october, a_bill_takes_no_more_than_its_hold,
                an_overrun_is_the_platforms_and_noted_once, a_bill_that_comes_too_late_still_notes_its_overrun,
                a_hold_whose_lease_ended_is_charged_in_full_once, many_holds_are_reaped_in_turns,
                a_deleted_companys_ledger_stays, what_turns_were_charged_is_told_once_it_is_known,
            ],
            leases: [
                a_free_lease_is_had_by_the_first_alone, a_lease_that_was_renewed_meanwhile_is_not_taken,
                an_abandoned_lease_is_taken_over_and_its_holder_fenced_off, a_lease_that_was_given_up_is_free_at_once,
                who_has_lost_a_lease_cannot_give_it_up, leases_of_other_names_are_others,
                of_many_that_take_a_lease_at_once_one_has_it,
            ],
            health: [
                what_checks_found_is_listed_newest_first_in_pages, what_checks_found_long_ago_is_deleted,
                an_instance_is_as_it_wrote_last_until_it_leaves, fallbacks_are_counted_by_company_over_the_last_turns,
                what_is_not_resolved_is_listed_by_code,
                a_store_with_a_clock_tells_the_time,
            ],
            snapshots: [
                a_snapshot_holds_all_changes_up_to_its_number, knowledge_comes_in_effective_order,
                every_write_is_told_to_others, what_is_known_of_templates_is_left_out, a_set_of_qnas_never_falls_back, the_catalogue_says_who_uses_a_template,
            ],
        );
    };
    (@ $given:path, $end:path, $($module:ident: [$($case:ident),+ $(,)?],)+) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $case() {
                let Some((given, kept)) = $given().await else { return };
                $crate::conformance::$module::$case(&given).await;
                $end(kept).await;
            })+
        })+
    };
}
pub(crate) use run_all;
