//! The registry of problems: one line a code, with its status, its title and what helps.

use http::StatusCode;

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal, $help:literal;)*) => {
        /// The stable name of a problem. Clients, tests and docs/problems.md use it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What happened, the same for each occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What helps.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }
        }
    };
}

problem_codes! {
    /// The body is no JSON.
    MalformedJson = "malformed-json", BAD_REQUEST, "The body is not JSON",
        "Send one JSON document in UTF-8; the detail says where reading stopped.";
    /// No token, or a wrong one.
    Unauthorized = "unauthorized", UNAUTHORIZED, "A valid token is needed",
        "Send `Authorization: Bearer <admin token>`; the token is FRONTDESK_ADMIN__TOKEN or stands in the file named at start.";
    /// No such path.
    UnknownPath = "unknown-path", NOT_FOUND, "There is nothing at this path",
        "GET /api/openapi.json lists every path; paths have no slash at the end.";
    /// No such company.
    CompanyNotFound = "company-not-found", NOT_FOUND, "There is no such company",
        "GET /api/v1/companies lists the companies that this token may see.";
    /// No such template.
    TemplateNotFound = "template-not-found", NOT_FOUND, "There is no such template",
        "GET /api/v1/templates lists the templates.";
    /// No such Q&A.
    QnaNotFound = "qna-not-found", NOT_FOUND, "There is no such Q&A here",
        "GET the path without the last part lists those of this company or trade; POST there makes one.";
    /// No such trade name.
    TradeNotFound = "trade-not-found", NOT_FOUND, "This is no name of a trade",
        "A trade is named by 1 to 100 characters, as in the `trades` of a company.";
    /// No prompts of that language.
    PromptsNotFound = "prompts-not-found", NOT_FOUND, "There are no prompts of this language",
        "PUT the prompts to this path, or use a language that has some, such as en-US.";
    /// No such call.
    CallNotFound = "call-not-found", NOT_FOUND, "There is no such call of this company",
        "GET the company's calls lists them; a call appears within a second after its first turn.";
    /// No such message.
    MessageNotFound = "message-not-found", NOT_FOUND, "There is no such message of this company",
        "GET the company's messages lists them.";
    /// No audio of that message.
    AudioNotFound = "audio-not-found", NOT_FOUND, "There is no audio of this message",
        "The message's `audio` says whether it is still due; ask again once it is `stored`.";
    /// No LLM is configured.
    LlmNotConfigured = "llm-not-configured", NOT_FOUND, "No LLM is configured",
        "Set FRONTDESK_LLM__API_KEY (or OPENAI_API_KEY), or FRONTDESK_LLM__BASE_URL for a server that needs no key, and start again.";
    /// No such notification.
    NotificationNotFound = "notification-not-found", NOT_FOUND, "There is no such notification",
        "GET /api/v1/notifications lists them.";
    /// No such contact.
    ContactNotFound = "contact-not-found", NOT_FOUND, "There is no such contact",
        "GET /api/v1/contacts lists them.";
    /// No such delivery.
    DeliveryNotFound = "delivery-not-found", NOT_FOUND, "There is no such delivery in the outbox",
        "GET /api/v1/outbox lists them.";
    /// No such alert code.
    RunbookNotFound = "runbook-not-found", NOT_FOUND, "There is no such alert code",
        "A notification's `runbook` is the path to the runbook of its code.";
    /// Another method is meant.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "This path does not take this method",
        "The Allow header lists the methods that it takes.";
    /// A new document's id is taken.
    IdTaken = "id-taken", CONFLICT, "The id is taken",
        "Leave the id out to have one made, or change the existing document with PUT or PATCH.";
    /// A phone number belongs to another company.
    PhoneTaken = "phone-taken", CONFLICT, "The phone number belongs to another company",
        "Every number belongs to one company; take it from the other one first.";
    /// Companies use a template that shall be deleted.
    TemplateInUse = "template-in-use", CONFLICT, "Companies use this template",
        "Remove it from the `aiAgentSettings.templateReferences` of the companies named in `errors`, then delete it.";
    /// A resolved notification shall be snoozed.
    NotificationResolved = "notification-resolved", CONFLICT, "The notification is resolved",
        "Reopen it first.";
    /// A notification shall be reopened while a newer one of its kind is open.
    AnotherNotificationOpen = "another-notification-open", CONFLICT, "Another notification of this code and company is open",
        "Work on the newer one, or resolve it first.";
    /// Others keep changing the document.
    ChangedMeanwhile = "changed-meanwhile", CONFLICT, "The document is being changed by others",
        "Read the document again and repeat the change.";
    /// `If-Match` names an older revision.
    StaleRevision = "stale-revision", PRECONDITION_FAILED, "The document has another revision",
        "Read the document again, repeat the change on it and send its ETag as If-Match.";
    /// The body is too large.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large",
        "A document may have 8 MiB, an import 64 MiB; import in several requests.";
    /// The body has another content type.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body has a content type that is not read here",
        "Send the Content-Type that the detail names.";
    /// The document has faults.
    InvalidDocument = "invalid-document", UNPROCESSABLE_ENTITY, "The document is not valid",
        "`errors` names each fault with the JSON pointer to it and what would be right.";
    /// The document refers to what does not exist.
    UnknownReference = "unknown-reference", UNPROCESSABLE_ENTITY, "The document refers to something that does not exist",
        "Make what it refers to first, or correct the places named in `errors`.";
    /// A query parameter is wrong.
    InvalidParameter = "invalid-parameter", UNPROCESSABLE_ENTITY, "A query parameter is not valid",
        "`errors` names the parameter and what would be right.";
    /// Lines of an import have faults.
    ImportRefused = "import-refused", UNPROCESSABLE_ENTITY, "Nothing was imported",
        "`errors` names each fault with its line and pointer; correct all of them and import the whole file again.";
    /// Too many listen to the stream.
    TooManyStreams = "too-many-streams", TOO_MANY_REQUESTS, "Too many listen to the stream of notifications",
        "Close a stream that nobody reads, or ask for the list from time to time.";
    /// A fault of this server.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something is wrong with this server",
        "The server's log says what; the request can be repeated once that is mended.";
    /// The store does not answer.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE, "The store does not answer",
        "Repeat the request in a moment; GET /readyz says which part is not well.";
}
