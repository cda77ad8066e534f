//! Compiled knowledge: each template revision and Q&A set is compiled once and shared by all companies that use it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use frontdesk_domain::documents::{qna::Qna, template::Template};
use frontdesk_matching::{
    knowledge::{CompiledOverlay, CompiledQna, CompiledTemplate, Parts},
    language::Language,
};
use frontdesk_store::cache::{KnowledgeDocuments, QnaSet};

/// What is compiled, as long as a company uses it. A document that is one `Arc` is compiled once.
#[derive(Clone, Default)]
pub(crate) struct CompiledPieces {
    templates: Arc<Shared<Template, CompiledTemplate>>,
    qna: Arc<Shared<QnaItems, CompiledQna>>,
}

type QnaItems = [Arc<Qna>];

impl CompiledPieces {
    /// The pieces of a company's knowledge, compiled where they are not yet. Whoever holds them keeps them shared.
    pub(crate) fn of_company(&self, documents: &KnowledgeDocuments, language: &'static Language) -> Parts {
        Parts {
            company_qna: Some(self.qna(&documents.company_qna, language)),
            trade_qna: documents.trade_qna.iter().map(|set| self.qna(set, language)).collect(),
            templates: documents
                .templates
                .iter()
                .map(|template| self.template(&template.document, language))
                .collect(),
            overlay: documents
                .overlay
                .as_ref()
                .map(|overlay| Arc::new(CompiledOverlay::new(&overlay.document))),
        }
    }

    pub(crate) fn template(&self, template: &Arc<Template>, language: &'static Language) -> Arc<CompiledTemplate> {
        let key = (Arc::as_ptr(template).addr(), std::ptr::from_ref(language).addr());
        self.templates
            .get_or_compile(key, template, |template| CompiledTemplate::new(template, language))
    }

    fn qna(&self, set: &QnaSet, language: &'static Language) -> Arc<CompiledQna> {
        let key = (
            Arc::as_ptr(&set.items).cast::<()>().addr(),
            std::ptr::from_ref(language).addr(),
        );
        self.qna.get_or_compile(key, &set.items, |items| {
            CompiledQna::of_shared(items.iter().cloned(), language)
        })
    }
}

/// A document's address and its language's: an address cannot be used again while the entry holds the document.
type Key = (usize, usize);

/// What was compiled of a document.
struct Kept<D: ?Sized, C> {
    compiled: Weak<C>,
    _document: Arc<D>,
}

struct Shared<D: ?Sized, C>(Mutex<HashMap<Key, Kept<D, C>>>);

impl<D: ?Sized, C> Default for Shared<D, C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<D: ?Sized, C> Shared<D, C> {
    fn get_or_compile(&self, key: Key, document: &Arc<D>, compile: impl FnOnce(&D) -> C) -> Arc<C> {
        if let Some(compiled) = self.find(key) {
            return compiled;
        }
        let compiled = Arc::new(compile(document));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have compiled it meanwhile: theirs is shared already.
        if let Some(earlier) = kept.get(&key).and_then(|kept| kept.compiled.upgrade()) {
            return earlier;
        }
        kept.retain(|_, kept| kept.compiled.strong_count() > 0);
        let entry = Kept {
            compiled: Arc::downgrade(&compiled),
            _document: Arc::clone(document),
        };
        kept.insert(key, entry);
        compiled
    }

    fn find(&self, key: Key) -> Option<Arc<C>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&key)?.compiled.upgrade()
    }
}
