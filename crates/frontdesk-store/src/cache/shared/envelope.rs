//! How values lie on the cache server.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use frontdesk_domain::{
    documents::trade::TradeName,
    ids::{CompanyId, TemplateId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    common::documents,
    ports::{CompanySnapshot, KnowledgeSnapshot, QnaSetSnapshot, Rev, Seq, Stored, StoredCompany, TemplateState},
    seal::Sealer,
};

/// The version of all of it. What another version wrote is not there for this one.
const VERSION: u32 = 1;

/// A value, and what it has to be checked by.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<V> {
    v: u32,
    store: String,
    epoch: String,
    pub(super) as_of: Seq,
    made_of: Vec<String>,
    pub(super) value: V,
}

impl<V: DeserializeOwned> Envelope<V> {
    /// Reads what lies there; `None` for whatever is no such value.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    pub(super) fn is_of(&self, store: &str, epoch: &str, parts: &[String]) -> bool {
        self.v == VERSION && self.store == store && self.epoch == epoch && self.made_of == parts
    }
}

impl Envelope<()> {
    pub(super) fn write(
        store: &str,
        epoch: &str,
        as_of: Seq,
        parts: &[String],
        value: impl Serialize,
    ) -> Option<String> {
        let envelope = Envelope {
            v: VERSION,
            store: store.to_owned(),
            epoch: epoch.to_owned(),
            as_of,
            made_of: parts.to_vec(),
            value,
        };
        serde_json::to_string(&envelope).ok()
    }
}

/// A document as it rests.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    rev: Rev,
    created_at: Timestamp,
    updated_at: Timestamp,
    json: Map<String, Value>,
}

impl Document {
    fn of(stored: &Stored) -> Self {
        let Stored {
            json,
            rev,
            created_at,
            updated_at,
        } = stored;
        Self {
            rev: *rev,
            created_at: *created_at,
            updated_at: *updated_at,
            json: json.clone(),
        }
    }

    fn open(self) -> Stored {
        let Self {
            rev,
            created_at,
            updated_at,
            json,
        } = self;
        Stored {
            json,
            rev,
            created_at,
            updated_at,
        }
    }
}

/// A company's settings, its secrets sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct CompanyValue {
    document: Document,
    secrets: Option<String>,
}

impl CompanyValue {
    pub(super) fn of(id: CompanyId, company: &StoredCompany, sealer: &Sealer) -> Self {
        let secrets = documents::seal(id, &company.secrets, sealer);
        Self {
            document: Document::of(&company.document),
            secrets: secrets.map(|sealed| STANDARD_NO_PAD.encode(sealed)),
        }
    }

    /// `None` if the secrets cannot be opened.
    pub(super) fn open(self, id: CompanyId, as_of: Seq, sealer: &Sealer) -> Option<CompanySnapshot> {
        let sealed = self.secrets.map(|text| STANDARD_NO_PAD.decode(text)).transpose().ok()?;
        let secrets = documents::unseal(id, sealed.as_deref(), sealer).ok()?;
        let company = StoredCompany {
            document: self.document.open(),
            secrets,
        };
        Some(CompanySnapshot {
            as_of,
            company: Some(company),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct QnaSet {
    rev: Rev,
    qnas: Vec<Document>,
}

impl QnaSet {
    fn of(set: &QnaSetSnapshot) -> Self {
        Self {
            rev: set.rev,
            qnas: set.qnas.iter().map(Document::of).collect(),
        }
    }

    fn open(self) -> QnaSetSnapshot {
        QnaSetSnapshot {
            rev: self.rev,
            qnas: self.qnas.into_iter().map(Document::open).collect(),
        }
    }
}

/// What a company's knowledge is compiled from.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KnowledgeValue {
    templates: Vec<(TemplateId, Document)>,
    company_qna: QnaSet,
    trade_qna: Vec<(String, QnaSet)>,
    overlay: Option<Document>,
}

impl KnowledgeValue {
    /// `None` for a snapshot in which templates are left out: others may not know them.
    pub(super) fn of(snapshot: &KnowledgeSnapshot) -> Option<Self> {
        let KnowledgeSnapshot {
            as_of: _,
            templates,
            company_qna,
            trade_qna,
            overlay,
        } = snapshot;
        let trade_qna = trade_qna.iter();
        let templates = templates.iter().map(|(id, state)| match state {
            TemplateState::Known => None,
            TemplateState::Read(stored) => Some((*id, Document::of(stored))),
        });
        Some(Self {
            templates: templates.collect::<Option<_>>()?,
            company_qna: QnaSet::of(company_qna),
            trade_qna: trade_qna
                .map(|(trade, set)| (trade.as_str().to_owned(), QnaSet::of(set)))
                .collect(),
            overlay: overlay.as_ref().map(Document::of),
        })
    }

    pub(super) fn open(self, as_of: Seq) -> KnowledgeSnapshot {
        let trade_qna = self.trade_qna.into_iter();
        KnowledgeSnapshot {
            as_of,
            templates: self
                .templates
                .into_iter()
                .map(|(id, document)| (id, TemplateState::Read(document.open())))
                .collect(),
            company_qna: self.company_qna.open(),
            trade_qna: trade_qna
                .map(|(trade, set)| (TradeName::new(&trade), set.open()))
                .collect(),
            overlay: self.overlay.map(Document::open),
        }
    }
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::documents::company::CompanySecrets;
    use secrecy::{ExposeSecret as _, SecretString};
    use serde_json::json;

    use super::*;

    const ID: &str = "507f1f77bcf86cd799439011";

    fn company() -> StoredCompany {
        let Value::Object(json) = json!({ "_id": ID, "name": "Norvell", "weight": 1.50 }) else {
            unreachable!()
        };
        StoredCompany {
            document: Stored {
                json,
                rev: 3,
                created_at: "2026-11-15T12:00:00.123456789Z".parse().unwrap(),
                updated_at: "2026-11-16T12:00:00Z".parse().unwrap(),
            },
            secrets: CompanySecrets {
                auth_token: Some(SecretString::from("the-token")),
                ..CompanySecrets::default()
            },
        }
    }

    fn written(sealer: &Sealer) -> String {
        let value = CompanyValue::of(ID.parse().unwrap(), &company(), sealer);
        Envelope::write("a store", "an epoch", 7, &["company 1".to_owned()], value).unwrap()
    }

    #[test]
    fn a_company_comes_back_as_it_was_and_its_secrets_are_not_in_clear() {
        let sealer = Sealer::from_key([7; 32]);
        let text = written(&sealer);
        assert!(!text.contains("the-token"));
        let envelope = Envelope::<CompanyValue>::read(text.as_bytes()).unwrap();
        assert_eq!(envelope.as_of, 7);
        assert!(envelope.is_of("a store", "an epoch", &["company 1".to_owned()]));
        assert!(!envelope.is_of("another", "an epoch", &["company 1".to_owned()]));
        assert!(!envelope.is_of("a store", "another", &["company 1".to_owned()]));
        assert!(!envelope.is_of("a store", "an epoch", &[]));
        let snapshot = envelope.value.open(ID.parse().unwrap(), 7, &sealer).unwrap();
        let opened = snapshot.company.unwrap();
        assert_eq!(opened.document, company().document);
        assert_eq!(opened.secrets.auth_token.unwrap().expose_secret(), "the-token");
    }

    #[test]
    fn a_company_sealed_with_another_key_or_for_another_is_not_there() {
        let text = written(&Sealer::from_key([7; 32]));
        let open = |id: &str, key| {
            let envelope = Envelope::<CompanyValue>::read(text.as_bytes()).unwrap();
            envelope
                .value
                .open(id.parse().unwrap(), 7, &Sealer::from_key([key; 32]))
        };
        assert!(open(ID, 8).is_none());
        assert!(open("507f1f77bcf86cd799439012", 7).is_none());
        assert!(open(ID, 7).is_some());
    }

    #[test]
    fn what_another_version_wrote_is_not_there() {
        let text = written(&Sealer::from_key([7; 32])).replace("\"v\":1", "\"v\":2");
        let envelope = Envelope::<CompanyValue>::read(text.as_bytes()).unwrap();
        assert!(!envelope.is_of("a store", "an epoch", &["company 1".to_owned()]));
    }
}
