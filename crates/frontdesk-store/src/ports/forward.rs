//! Writes out the ports that a decorator hands on to what it decorates.

/// `forward!(CallLog, Ping for Decorator through field)`: the decorator has these ports, and its field answers them.
///
/// The signatures below are those of the ports; the compiler holds them to it.
#[doc(hidden)]
#[macro_export]
macro_rules! forward {
    ($($port:ident),+ for $type:ident through $field:ident) => {
        $($crate::forward!(@$port, $type, $field);)+
    };
    (@CompanyStore, $type:ident, $field:ident) => {
        $crate::forward!(@@CompanyStore, $type, $field, {
            company(id: CompanyId) -> Result<Option<StoredCompany>, StoreError>;
            companies(page: Page<CompanyId>) -> Result<Vec<StoredCompany>, StoreError>;
            company_by_number(number: &str) -> Result<Option<CompanyId>, StoreError>;
            insert_company(write: CompanyWrite) -> Result<Written, WriteError>;
            replace_company(write: CompanyWrite, expected: Rev) -> Result<Written, WriteError>;
            delete_company(id: CompanyId, expected: Option<Rev>) -> Result<Seq, WriteError>;
        });
    };
    (@TemplateStore, $type:ident, $field:ident) => {
        $crate::forward!(@@TemplateStore, $type, $field, {
            template(id: TemplateId) -> Result<Option<Stored>, StoreError>;
            templates(page: Page<TemplateId>) -> Result<Vec<Stored>, StoreError>;
            insert_template(id: TemplateId, json: Map<String, Value>) -> Result<Written, WriteError>;
            replace_template(id: TemplateId, json: Map<String, Value>, expected: Rev) -> Result<Written, WriteError>;
            delete_template(id: TemplateId, expected: Option<Rev>) -> Result<Seq, WriteError>;
        });
    };
    (@QnaStore, $type:ident, $field:ident) => {
        $crate::forward!(@@QnaStore, $type, $field, {
            qna(owner: &QnaOwner, id: &QnaId) -> Result<Option<Stored>, StoreError>;
            qnas(owner: &QnaOwner, page: Page<QnaId>) -> Result<Vec<Stored>, StoreError>;
            qna_trades() -> Result<Vec<TradeName>, StoreError>;
            insert_qna(owner: &QnaOwner, id: &QnaId, json: Map<String, Value>) -> Result<Written, WriteError>;
            replace_qna(owner: &QnaOwner, id: &QnaId, json: Map<String, Value>, expected: Rev)
                -> Result<Written, WriteError>;
            delete_qna(owner: &QnaOwner, id: &QnaId, expected: Option<Rev>) -> Result<Seq, WriteError>;
        });
    };
    (@SingletonStore, $type:ident, $field:ident) => {
        $crate::forward!(@@SingletonStore, $type, $field, {
            singleton(which: &Singleton) -> Result<Option<Stored>, StoreError>;
            put_singleton(which: &Singleton, json: Map<String, Value>, expected: Option<Rev>)
                -> Result<Written, WriteError>;
            prompt_languages() -> Result<Vec<Arc<str>>, StoreError>;
        });
    };
    (@SnapshotStore, $type:ident, $field:ident) => {
        $crate::forward!(@@SnapshotStore, $type, $field, {
            company_snapshot(id: CompanyId) -> Result<CompanySnapshot, StoreError>;
            knowledge_snapshot(company: &Company, known: &KnownTemplates) -> Result<KnowledgeSnapshot, StoreError>;
            platform_snapshot() -> Result<PlatformSnapshot, StoreError>;
            catalogue_snapshot() -> Result<CatalogueSnapshot, StoreError>;
        });
    };
    (@ChangeFeed, $type:ident, $field:ident) => {
        $crate::forward!(@@ChangeFeed, $type, $field, {
            newest() -> Result<Seq, StoreError>;
            changes_after(seq: Seq) -> Result<Vec<(Seq, Changed)>, StoreError>;
        });
    };
    (@ImportStore, $type:ident, $field:ident) => {
        $crate::forward!(@@ImportStore, $type, $field, {
            import(items: Vec<ImportItem>, now: Timestamp) -> Result<Vec<(Seq, Changed)>, ImportError>;
        });
    };
    (@TurnLog, $type:ident, $field:ident) => {
        $crate::forward!(@@TurnLog, $type, $field, {
            append_turns(turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError>;
            end_calls(ends: Arc<Vec<CallEnd>>) -> Result<(), StoreError>;
        });
    };
    (@CallLog, $type:ident, $field:ident) => {
        $crate::forward!(@@CallLog, $type, $field, {
            calls(company: CompanyId, filter: &CallFilter, page: Page<CallCursor>)
                -> Result<Vec<StoredCall>, StoreError>;
            call(company: CompanyId, call: &CallId) -> Result<Option<StoredCall>, StoreError>;
            recall(company: CompanyId, call: &CallId, turn: &TurnId, since: Timestamp)
                -> Result<Option<Recalled>, StoreError>;
            turns_since(since: Timestamp, before: Option<CallPlace>, limit: usize) -> Result<Vec<TurnsOfCall>, StoreError>;
        });
    };
    (@AnalyticsStore, $type:ident, $field:ident) => {
        $crate::forward!(@@AnalyticsStore, $type, $field, {
            count_turns() -> Result<(), StoreError>;
            rollups(scope: RollupScope, from: Slot, to: Slot) -> Result<Vec<SlotRollup>, StoreError>;
            counted_companies() -> Result<Vec<CompanyId>, StoreError>;
            misses(company: CompanyId, from: Timestamp, to: Timestamp, limit: usize) -> Result<Vec<Miss>, StoreError>;
            replace_rollup(scope: RollupScope, slot: Slot, seen: Option<&Rollup>, counted: Rollup)
                -> Result<bool, StoreError>;
            restore_misses(company: CompanyId, misses: Vec<Miss>) -> Result<u64, StoreError>;
            erase(company: CompanyId, caller: &str) -> Result<Erased, StoreError>;
        });
    };
    (@MessageStore, $type:ident, $field:ident) => {
        $crate::forward!(@@MessageStore, $type, $field, {
            put_message(message: Message) -> Result<MessageId, StoreError>;
            messages(company: CompanyId, filter: &MessageFilter, page: Page<MessageId>)
                -> Result<Vec<Message>, StoreError>;
            set_message_state(company: CompanyId, id: MessageId, state: MessageState)
                -> Result<Option<Message>, StoreError>;
        });
    };
    (@AudioStore, $type:ident, $field:ident) => {
        $crate::forward!(@@AudioStore, $type, $field, {
            next_audio_due() -> Result<Option<Timestamp>, StoreError>;
            claim_audio(now: Timestamp, again: Timestamp, limit: usize) -> Result<Vec<DueAudio>, StoreError>;
            put_audio(message: MessageId, audio: Audio) -> Result<bool, StoreError>;
            postpone_audio(message: MessageId, due_at: Option<Timestamp>) -> Result<(), StoreError>;
            audio(company: CompanyId, message: MessageId) -> Result<Option<FoundAudio>, StoreError>;
        });
    };
    (@RetentionStore, $type:ident, $field:ident) => {
        $crate::forward!(@@RetentionStore, $type, $field, {
            record_keepers() -> Result<Vec<RecordKeeper>, StoreError>;
            purge(company: CompanyId, before: Timestamp) -> Result<Purged, StoreError>;
            purge_notices(before: Timestamp) -> Result<PurgedNotices, StoreError>;
            purge_leftovers() -> Result<bool, StoreError>;
        });
    };
    (@NotificationStore, $type:ident, $field:ident) => {
        $crate::forward!(@@NotificationStore, $type, $field, {
            raise(alerts: Vec<RaisedAlert>) -> Result<(), StoreError>;
            notifications(filter: &NotificationFilter, page: Page<NotificationId>)
                -> Result<Vec<Notification>, StoreError>;
            notification(id: NotificationId) -> Result<Option<Notification>, StoreError>;
            notifications_changed(since: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Notification)>, StoreError>;
            change_notification(id: NotificationId, change: NotificationChange)
                -> Result<NotificationChanged, StoreError>;
            resolve_open(code: AlertCode, company: Option<CompanyId>, at: Timestamp)
                -> Result<Option<NotificationId>, StoreError>;
        });
    };
    (@OutboxStore, $type:ident, $field:ident) => {
        $crate::forward!(@@OutboxStore, $type, $field, {
            due_notifications(now: Timestamp, limit: usize) -> Result<Vec<DueNotification>, StoreError>;
            plan(id: NotificationId, rev: Rev, plan: Plan) -> Result<(), StoreError>;
            due_deliveries(now: Timestamp, busy: Busy, limit: usize) -> Result<Vec<DueDelivery>, StoreError>;
            claim_deliveries(ids: Vec<DeliveryId>, now: Timestamp, again: Timestamp) -> Result<Vec<Delivery>, StoreError>;
            end_delivery(id: DeliveryId, attempt: Attempt, outcome: Outcome) -> Result<bool, StoreError>;
            deliveries(filter: DeliveryFilter, page: Page<DeliveryId>) -> Result<Vec<Delivery>, StoreError>;
            resend(id: DeliveryId) -> Result<Option<Delivery>, StoreError>;
        });
    };
    (@ContactStore, $type:ident, $field:ident) => {
        $crate::forward!(@@ContactStore, $type, $field, {
            contact(id: ContactId) -> Result<Option<StoredContact>, StoreError>;
            contacts(page: Page<ContactId>) -> Result<Vec<StoredContact>, StoreError>;
            insert_contact(write: ContactWrite) -> Result<Stored, WriteError>;
            replace_contact(write: ContactWrite, expected: Rev) -> Result<Stored, WriteError>;
            delete_contact(id: ContactId, expected: Rev) -> Result<(), WriteError>;
        });
    };
    (@RotationStore, $type:ident, $field:ident) => {
        $crate::forward!(@@RotationStore, $type, $field, {
            take_rotations(company: CompanyId, kind: FallbackKind, count: u32) -> Result<u64, StoreError>;
            peek_rotation(company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError>;
            last_spoken(company: CompanyId) -> Result<Vec<(FallbackKind, u32)>, StoreError>;
        });
    };
    (@LedgerStore, $type:ident, $field:ident) => {
        $crate::forward!(@@LedgerStore, $type, $field, {
            reserve(hold: Hold) -> Result<Reserved, StoreError>;
            settle(id: LedgerEntryId, bill: Bill) -> Result<bool, StoreError>;
            void(id: LedgerEntryId, at: Timestamp) -> Result<bool, StoreError>;
            reap(now: Timestamp) -> Result<Vec<(Account, LedgerEntry)>, StoreError>;
            spend(account: Account, month: MonthKey) -> Result<Spend, StoreError>;
            spends(month: MonthKey, page: Page<CompanyId>) -> Result<Vec<(CompanyId, Spend)>, StoreError>;
            charged(account: Account, turns: Vec<TurnId>) -> Result<Vec<(TurnId, PicoUsd)>, StoreError>;
            entries(account: Account, filter: LedgerFilter, page: Page<LedgerEntryId>)
                -> Result<Vec<LedgerEntry>, StoreError>;
            audit() -> Result<Audit, StoreError>;
        });
    };
    (@LeaseStore, $type:ident, $field:ident) => {
        $crate::forward!(@@LeaseStore, $type, $field, {
            lease(name: &str) -> Result<Option<Lease>, StoreError>;
            take_lease(name: &str, holder: &str, seen: Option<&Lease>) -> Result<Option<Fence>, StoreError>;
            renew_lease(name: &str, fence: Fence) -> Result<bool, StoreError>;
            give_up_lease(name: &str, fence: Fence) -> Result<bool, StoreError>;
        });
    };
    (@HealthStore, $type:ident, $field:ident) => {
        $crate::forward!(@@HealthStore, $type, $field, {
            keep_health(entries: Vec<HealthEntry>) -> Result<(), StoreError>;
            health_history(filter: &HealthFilter, page: Page<HealthEntryId>) -> Result<Vec<HealthEntry>, StoreError>;
            purge_health(before: Timestamp) -> Result<u64, StoreError>;
            put_instance(health: InstanceHealth) -> Result<(), StoreError>;
            remove_instance(instance: &str) -> Result<(), StoreError>;
            instances(since: Timestamp) -> Result<Vec<InstanceHealth>, StoreError>;
            fallback_counts(from: Slot, turns: u64) -> Result<Vec<FallbackCount>, StoreError>;
            unresolved(codes: &[AlertCode]) -> Result<Vec<Unresolved>, StoreError>;
            store_time() -> Result<Option<Timestamp>, StoreError>;
        });
    };
    (@Ping, $type:ident, $field:ident) => {
        $crate::forward!(@@Ping, $type, $field, {
            ping() -> Result<(), StoreError>;
        });
    };
    (@@$port:ident, $type:ident, $field:ident, { $($name:ident($($arg:ident: $arg_type:ty),*) -> $result:ty;)+ }) => {
        const _: () = {
            use $crate::ports::signatures::*;

            #[async_trait::async_trait]
            impl $port for $type {
                $(async fn $name(&self, $($arg: $arg_type),*) -> $result {
                    $port::$name(&*self.$field, $($arg),*).await
                })+
            }
        };
    };
}
