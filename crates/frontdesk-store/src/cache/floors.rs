//! Which cached values are too old, by what has changed since they were read.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::ports::{Changed, Seq, Singleton};

/// So many things are remembered apart; beyond that everything is taken for changed once.
const MAX_FLOORS: usize = 100_000;

/// For each thing that changed, the number of its last change: its *floor*.
///
/// A value that was read when `as_of` was current is valid while `as_of` is not below the floor of anything it was made
/// of. A value that a slow reader read before a write can therefore not be served after it, however late it comes in.
#[derive(Debug, Default)]
pub(super) struct Floors {
    /// One more with each floor that rose. Changed only under the lock.
    generation: AtomicU64,
    floors: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The floor of everything.
    base: Seq,
    /// The floor of what is made of all templates and of who uses them, marked by [`Changed::Everything`].
    templates: Seq,
    floors: HashMap<Changed, Seq>,
}

/// The generation in which a value was last found valid; none at first.
#[derive(Debug)]
pub(super) struct Checked(AtomicU64);

impl Default for Checked {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

/// Prompts of all languages are one thing with the safety rules: whoever reads one reads all of them.
pub(super) fn thing(changed: Changed) -> Changed {
    match changed {
        Changed::Singleton(Singleton::Prompts(_)) => Changed::Singleton(Singleton::Safety),
        other => other,
    }
}

impl Floors {
    /// Notes changes. When this returns, no value that was read before them is valid.
    pub(super) fn raise(&self, changes: impl IntoIterator<Item = (Seq, Changed)>) {
        let mut known = self.floors.write().unwrap_or_else(PoisonError::into_inner);
        let mut rose = false;
        for (seq, changed) in changes {
            let Known {
                base,
                templates,
                floors,
            } = &mut *known;
            if matches!(
                changed,
                Changed::Everything | Changed::Template(_) | Changed::Company(_)
            ) {
                *templates = seq.max(*templates);
            }
            if changed == Changed::Everything || floors.len() >= MAX_FLOORS {
                rose |= seq > *base;
                *base = seq.max(*base);
                let base = *base;
                floors.retain(|_, floor| *floor > base);
                continue;
            }
            let floor = floors.entry(thing(changed)).or_default();
            rose |= seq > *floor;
            *floor = seq.max(*floor);
        }
        if rose {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// The number of times that a floor rose.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether a value is valid.
    pub(super) fn allow(&self, as_of: Seq, made_of: &[Changed], checked: &Checked) -> bool {
        checked.0.load(Ordering::Relaxed) == self.generation() || self.look_up(as_of, made_of, checked)
    }

    #[cold]
    fn look_up(&self, as_of: Seq, made_of: &[Changed], checked: &Checked) -> bool {
        let known = self.floors.read().unwrap_or_else(PoisonError::into_inner);
        let floor = |part: &Changed| match part {
            Changed::Everything => known.templates,
            part => known.floors.get(part).copied().unwrap_or_default(),
        };
        let is_valid = as_of >= known.base && made_of.iter().all(|part| as_of >= floor(part));
        if is_valid {
            checked.0.store(self.generation(), Ordering::Relaxed);
        }
        is_valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "507f1f77bcf86cd799439011";

    fn template() -> Changed {
        Changed::Template(TEMPLATE.parse().unwrap())
    }

    #[track_caller]
    fn check(floors: &Floors, as_of: Seq, want: bool) {
        assert_eq!(
            floors.allow(as_of, &[template()], &Checked::default()),
            want,
            "as of {as_of}"
        );
    }

    #[test]
    fn a_value_is_valid_while_it_is_not_below_the_floor_of_its_parts() {
        let floors = Floors::default();
        check(&floors, 0, true);
        floors.raise([(5, template()), (9, Changed::Singleton(Singleton::Safety))]);
        check(&floors, 4, false);
        check(&floors, 5, true);
    }

    #[test]
    fn an_older_change_that_is_heard_late_still_counts() {
        let floors = Floors::default();
        let checked = Checked::default();
        floors.raise([(6, Changed::Singleton(Singleton::Safety))]);
        assert!(floors.allow(4, &[template()], &checked));
        floors.raise([(5, template())]);
        assert!(
            !floors.allow(4, &[template()], &checked),
            "what was valid a moment ago is looked at again"
        );
    }

    #[test]
    fn a_floor_never_falls() {
        let floors = Floors::default();
        floors.raise([(8, template())]);
        let generation = floors.generation();
        floors.raise([(7, template())]);
        check(&floors, 7, false);
        assert_eq!(floors.generation(), generation);
    }

    #[test]
    fn everything_means_all_that_was_read_before() {
        let floors = Floors::default();
        floors.raise([(5, Changed::Everything)]);
        check(&floors, 4, false);
        check(&floors, 5, true);
    }

    #[test]
    fn what_is_made_of_all_templates_is_renewed_by_a_change_of_one_and_by_no_other() {
        let floors = Floors::default();
        floors.raise([(4, Changed::Singleton(Singleton::Safety))]);
        assert!(floors.allow(3, &[Changed::Everything], &Checked::default()));
        floors.raise([(5, template())]);
        assert!(!floors.allow(4, &[Changed::Everything], &Checked::default()));
        assert!(floors.allow(5, &[Changed::Everything], &Checked::default()));
    }

    #[test]
    fn prompts_of_any_language_renew_the_platform_data() {
        let floors = Floors::default();
        floors.raise([(5, Changed::Singleton(Singleton::Prompts("es-US".into())))]);
        assert!(!floors.allow(4, &[Changed::Singleton(Singleton::Safety)], &Checked::default()));
    }
}
