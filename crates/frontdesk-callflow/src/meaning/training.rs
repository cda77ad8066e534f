//! Learns what companies' answers mean, on two threads of its own.
//!
//! What is learnt is named by a hash of what it is learnt from, so that equal knowledge is learnt once: looked for in
//! memory, then on disk, then learnt. First by words alone, which is quick and for which a turn waits a moment
//! ([`Trainer::soon`]), then with embeddings, on the other thread. Work whose company was edited meanwhile is dropped:
//! nobody holds its place any more.

mod embeddings;
mod queue;

use std::{
    collections::HashMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use frontdesk_domain::documents::safety::SafetyRules;
use frontdesk_encoder::Encoder;
use frontdesk_matching::{
    knowledge::Parts,
    meaning::{
        Meaning,
        embedding::Embedding,
        ground::Ground,
        safety::{COEFFICIENTS, EXAMPLES, SafetyByMeaning, lessons},
        train::{Embeddings, NotTrained, OwnHead, SharedHead},
        wordings::{Key, OwnWordings, SharedWordings},
    },
};
use frontdesk_store::{
    blobs::{BlobCache, BlobKey},
    cache::bounded::Bounded,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tracing::{debug, error, warn};

use self::queue::{DangerJob, Job, Known, Next, SharedSet, Waiting};
use super::{Learnt, LearntDangers, LoadEncoder, pool::step_back};

/// Learning has this lower priority than answering calls.
const NICENESS: i32 = 10;

/// So many embeddings of wordings stay in memory, so that an edit does not read them back.
const KEPT_EMBEDDINGS: usize = 8_192;

/// A turn waits for its company's words only if no more than so many companies wait for theirs, itself included.
const SOON: usize = 4;

/// The threads that learn, and what they have learnt.
pub(super) struct Trainer {
    /// Set once it was looked for.
    encoder: OnceLock<Option<Arc<dyn Encoder>>>,
    cache: Option<Arc<dyn BlobCache>>,
    waiting: Mutex<Waiting>,
    woken: Condvar,
    /// A job has ended.
    ended: Notify,
    stopping: AtomicBool,
    /// By the addresses of their pieces.
    sets: Known<Vec<usize>, SharedSet>,
    shared: Known<Key, SharedHead>,
    own: Known<Key, OwnHead>,
    embeddings: Bounded<BlobKey, Embedding>,
}

impl Trainer {
    /// Starts the threads, one of which loads the encoder first.
    pub(super) fn start(load: LoadEncoder, cache: Option<Arc<dyn BlobCache>>) -> io::Result<Arc<Self>> {
        let trainer = Arc::new(Self {
            encoder: OnceLock::new(),
            cache,
            waiting: Mutex::default(),
            woken: Condvar::new(),
            ended: Notify::new(),
            stopping: AtomicBool::new(false),
            sets: Known::default(),
            shared: Known::default(),
            own: Known::default(),
            embeddings: Bounded::new(KEPT_EMBEDDINGS),
        });
        let learner = Arc::clone(&trainer);
        thread::Builder::new().name("training".into()).spawn(move || {
            let encoder = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| {
                error!("loading the encoder panicked; words alone decide");
                None
            });
            // Nobody else sets it.
            _ = learner.encoder.set(encoder);
            step_back(NICENESS);
            learner.run(Waiting::take_for_meaning);
        })?;
        let learner = Arc::clone(&trainer);
        thread::Builder::new().name("training-words".into()).spawn(move || {
            // What is on disk may be its embeddings' head, and is better.
            learner.encoder.wait();
            step_back(NICENESS);
            learner.run(Waiting::take_for_words);
        })?;
        Ok(trainer)
    }

    pub(super) fn encoder(&self) -> Option<Arc<dyn Encoder>> {
        self.encoder.get()?.clone()
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.waiting).count()
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.woken.notify_all();
    }

    /// A place for what these pieces mean; filled at once if it is in memory.
    pub(super) fn learn(&self, parts: &Parts) -> Arc<Learnt> {
        let place = Arc::<Learnt>::default();
        let job = Job {
            place: Arc::downgrade(&place),
            shared: self.set_of(parts),
            own: OwnWordings::of(parts),
        };
        let model = self.encoder().map(|encoder| name_of(&*encoder));
        if let Some(meaning) = model.and_then(|model| self.in_memory(&job, &model)) {
            place.set(Arc::new(meaning));
            return place;
        }
        if let Some(meaning) = self.in_memory(&job, "") {
            place.set(Arc::new(meaning));
        }
        lock(&self.waiting).for_words.push_back(job);
        self.woken.notify_all();
        place
    }

    /// What is learnt in this place, if that is there or will be by `until`; does not wait behind many others.
    pub(super) async fn soon(&self, place: &Learnt, until: Instant) -> Option<Arc<Meaning>> {
        let learnt = async {
            loop {
                let ended = self.ended.notified();
                let mut ended = pin!(ended);
                // From here on no end is missed.
                ended.as_mut().enable();
                let before = lock(&self.waiting).for_words();
                if let Some(meaning) = place.get() {
                    return Some(meaning);
                }
                if before == 0 || before > SOON {
                    return None;
                }
                ended.await;
            }
        };
        timeout_at(until, learnt).await.ok().flatten()
    }

    /// The shared wordings of these pieces, read once for all companies that have the same.
    fn set_of(&self, parts: &Parts) -> Arc<SharedSet> {
        let trades = parts.trade_qna.iter().map(|qna| Arc::as_ptr(qna).addr());
        let templates = parts.templates.iter().map(|template| Arc::as_ptr(template).addr());
        // A zero between, so that a trade's Q&A is not taken for a template.
        let key: Vec<usize> = trades.chain([0]).chain(templates).collect();
        if let Some(known) = self.sets.find(&key) {
            return known;
        }
        let set = Arc::new(SharedSet {
            wordings: SharedWordings::of(parts),
            _parts: Parts {
                company_qna: None,
                overlay: None,
                ..parts.clone()
            },
        });
        self.sets.note(key, &set);
        set
    }

    fn in_memory(&self, job: &Job, model: &str) -> Option<Meaning> {
        let key = job.shared.wordings.key(model);
        let shared = self.shared.find(&key)?;
        let own = self.own.find(&job.own.key(&key))?;
        Some(Meaning::new(shared, own))
    }

    /// A place for what these rules call a danger.
    pub(super) fn learn_dangers(&self, rules: &SafetyRules) -> Arc<LearntDangers> {
        let place = Arc::<LearntDangers>::default();
        let job = DangerJob {
            place: Arc::downgrade(&place),
            lessons: lessons(rules, &EXAMPLES),
        };
        lock(&self.waiting).dangers.push_back(job);
        self.woken.notify_all();
        place
    }

    fn run(&self, take: fn(&mut Waiting) -> Option<Next>) {
        let mut desk = Desk::default();
        while let Some(next) = self.next(take) {
            let outcome = catch_unwind(AssertUnwindSafe(|| match &next {
                Next::Dangers(job) => self.work_on_dangers(job),
                Next::Words(job) => self.learn_words(job, &mut desk),
                Next::Meaning(job) => self.learn_meaning(job, &mut desk),
            }));
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(NotTrained::Stopped)) => debug!("learning was given up: what it was for is not there any more"),
                Ok(Err(failure)) => error!(
                    error = &failure as &dyn std::error::Error,
                    "what answers mean cannot be learnt"
                ),
                Err(_) => error!("learning what answers mean panicked"),
            }
            let mut waiting = lock(&self.waiting);
            waiting.busy -= 1;
            waiting.is_reading &= !matches!(next, Next::Words(_));
            if let Next::Words(job) = next
                && self.encoder().is_some()
                && job.place.strong_count() > 0
            {
                waiting.for_meaning.push_back(job);
                self.woken.notify_all();
            }
            if waiting.for_words.is_empty() && waiting.for_meaning.is_empty() {
                desk = Desk::default();
            }
            drop(waiting);
            self.ended.notify_waiters();
        }
    }

    /// What is next; `None` when the process ends.
    fn next(&self, take: fn(&mut Waiting) -> Option<Next>) -> Option<Next> {
        let mut waiting = lock(&self.waiting);
        loop {
            if self.stopping.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(next) = take(&mut waiting) {
                waiting.busy += 1;
                waiting.is_reading |= matches!(next, Next::Words(_));
                return Some(next);
            }
            waiting = self.woken.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work_on_dangers(&self, job: &DangerJob) -> Result<(), NotTrained> {
        let Some(encoder) = self.encoder() else { return Ok(()) };
        if encoder.weights() != COEFFICIENTS.model_sha256 {
            warn!("this encoder is not the one that dangers are told by; safety goes by rules alone");
            return Ok(());
        }
        let stop = || job.place.strong_count() == 0 || self.stopping.load(Ordering::Relaxed);
        let model = name_of(&*encoder);
        let texts = job.lessons.iter().map(|lesson| &*lesson.text);
        let embeddings = self.embed(&*encoder, &model, texts.collect(), &stop)?;
        let in_order = job.lessons.iter().filter_map(|lesson| embeddings.get(&*lesson.text));
        let in_order: Vec<Embedding> = in_order.map(|embedding| Embedding::clone(embedding)).collect();
        let learnt = SafetyByMeaning::learn(&job.lessons, &in_order, &COEFFICIENTS, &stop);
        if let (Some(learnt), Some(place)) = (learnt, job.place.upgrade()) {
            place.set(Arc::new(learnt));
        }
        Ok(())
    }

    /// By words alone, if there is nothing yet; with embeddings if that is on disk.
    fn learn_words(&self, job: &Job, desk: &mut Desk) -> Result<(), NotTrained> {
        let Some(place) = job.place.upgrade() else {
            return Ok(());
        };
        let model = self.encoder().map(|encoder| name_of(&*encoder));
        if let Some(meaning) = model.and_then(|model| self.on_disk(job, &model)) {
            place.set(Arc::new(meaning));
            return Ok(());
        }
        if place.get().is_some() {
            return Ok(());
        }
        // From here on only the company holds it, so that an edit ends the work.
        drop(place);
        let meaning = self.meaning(job, "", None, desk)?;
        publish(job, meaning);
        Ok(())
    }

    fn learn_meaning(&self, job: &Job, desk: &mut Desk) -> Result<(), NotTrained> {
        let Some(encoder) = self.encoder() else {
            return Ok(());
        };
        let is_done = |place: &Arc<Learnt>| place.get().is_some_and(|meaning| !meaning.is_lexical());
        if job.place.upgrade().as_ref().is_some_and(is_done) {
            return Ok(());
        }
        let model = name_of(&*encoder);
        let texts = job.shared.wordings.texts().chain(job.own.texts());
        let embeddings = self.embed(&*encoder, &model, texts.collect(), &|| self.is_stopped(job))?;
        let meaning = self.meaning(job, &model, Some(&embeddings), desk)?;
        publish(job, meaning);
        Ok(())
    }

    fn is_stopped(&self, job: &Job) -> bool {
        job.place.strong_count() == 0 || self.stopping.load(Ordering::Relaxed)
    }

    fn meaning(
        &self,
        job: &Job,
        model: &str,
        embeddings: Option<&HashMap<&str, Arc<Embedding>>>,
        desk: &mut Desk,
    ) -> Result<Meaning, NotTrained> {
        let stop = || self.is_stopped(job);
        let find = |text: &str| embeddings?.get(text).map(Arc::clone);
        let find: Option<Embeddings<'_>> = embeddings.is_some().then_some(&find);
        let wordings = &job.shared.wordings;
        let key = wordings.key(model);
        let shared = match self.known_shared(&key) {
            Some(shared) => shared,
            None => {
                // Never from what was learnt before: the same knowledge gives the same head, whatever was there.
                let learnt = Arc::new(SharedHead::train(wordings, find, &stop)?);
                self.keep(&key, || learnt.to_bytes());
                self.shared.note(key, &learnt);
                learnt
            }
        };
        let own_key = job.own.key(&key);
        if let Some(own) = self.known_own(&own_key) {
            return Ok(Meaning::new(shared, own));
        }
        let ground = match desk.ground.take_if(|(of, _)| *of == key) {
            Some((_, ground)) => ground,
            None => Ground::of(shared, wordings, find)?,
        };
        let meaning = ground.meaning(&job.own, find, &stop);
        desk.ground = Some((key, ground));
        let meaning = meaning?;
        self.keep(&own_key, || meaning.own().to_bytes());
        self.own.note(own_key, meaning.own());
        Ok(meaning)
    }

    fn on_disk(&self, job: &Job, model: &str) -> Option<Meaning> {
        let key = job.shared.wordings.key(model);
        let shared = self.known_shared(&key)?;
        let own = self.known_own(&job.own.key(&key))?;
        Some(Meaning::new(shared, own))
    }

    fn known_shared(&self, key: &Key) -> Option<Arc<SharedHead>> {
        self.shared.find(key).or_else(|| {
            let read = Arc::new(self.read(key, SharedHead::from_bytes)?);
            self.shared.note(*key, &read);
            Some(read)
        })
    }

    fn known_own(&self, key: &Key) -> Option<Arc<OwnHead>> {
        self.own.find(key).or_else(|| {
            let read = Arc::new(self.read(key, OwnHead::from_bytes)?);
            self.own.note(*key, &read);
            Some(read)
        })
    }

    /// What is kept on disk under a key, unless it is damaged.
    fn read<T, E: std::error::Error + 'static>(&self, key: &Key, parse: impl Fn(&[u8]) -> Result<T, E>) -> Option<T> {
        let bytes = self.cache.as_ref()?.get(&[*key]).pop().flatten()?;
        match parse(&bytes) {
            Ok(read) => Some(read),
            Err(damage) => {
                warn!(
                    error = &damage as &dyn std::error::Error,
                    "a kept head is damaged and is learnt again"
                );
                None
            }
        }
    }

    fn keep(&self, key: &Key, bytes: impl FnOnce() -> Vec<u8>) {
        if let Some(cache) = &self.cache {
            cache.put(&[(*key, bytes())]);
        }
    }
}

/// What is worth keeping from one company to the next.
#[derive(Default)]
struct Desk {
    ground: Option<(Key, Ground)>,
}

fn publish(job: &Job, meaning: Meaning) {
    if let Some(place) = job.place.upgrade() {
        place.set(Arc::new(meaning));
    }
}

/// The name under which what an encoder computes is kept.
fn name_of(encoder: &dyn Encoder) -> String {
    encoder.model().whole()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
