//! Reads a JSON document once: each field is checked, gets its default and is written into the canonical JSON
//! by one call. Whatever nobody asked for is an unknown field.
//!
//! A *shape* is a function from a value at a place to what it means; see [`shapes`]. Faults are gathered, not
//! returned, so that a refused document names all of them.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    fmt::Write,
};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{Fault, Faults, Mode, Parsed, Unknown, company::Change, nearest::nearest};

mod extended;
mod secret_fields;
pub(super) mod shapes;

pub(super) use extended::unwrap;
pub(super) use secret_fields::LOOKS_LIKE_A_SECRET;

/// What a shape makes of a value: its meaning and its canonical JSON; nothing if it is faulty.
pub(super) type Read<T> = Option<(T, Value)>;

/// Reads a whole document.
pub(super) fn parse<T>(
    document: &Value,
    mode: Mode<'_>,
    read: impl Fn(&mut Reader<'_, '_>) -> Option<T>,
) -> Result<Parsed<T>, Faults> {
    let mut place = Place {
        mode,
        steps: Vec::new(),
        missing: false,
        faults: vec![],
        unknown: vec![],
        notes: vec![],
    };
    let plain = place.plain(document);
    let outcome = read_object(&plain, &mut place, &read);
    match outcome {
        Some((value, json)) if place.faults.is_empty() => Ok(Parsed {
            value,
            json,
            unknown: place.unknown,
            notes: place.notes,
        }),
        _ => {
            if place.faults.is_empty() {
                place.fault("cannot be read");
            }
            Err(Faults(place.faults))
        }
    }
}

fn read_object<T>(
    value: &Value,
    place: &mut Place<'_>,
    read: impl Fn(&mut Reader<'_, '_>) -> Option<T>,
) -> Option<(T, Map<String, Value>)> {
    let Some(source) = value.as_object() else {
        return place.wrong(value, "an object");
    };
    let mut reader = Reader {
        source,
        written: Map::with_capacity(source.len()),
        known: Vec::new(),
        is_closed: false,
        place,
    };
    let outcome = read(&mut reader);
    let written = reader.finish();
    outcome.map(|value| (value, written))
}

/// One step from a value to a value in it.
#[derive(Debug, Clone)]
enum Step {
    Field(&'static str),
    Key(String),
    Index(usize),
}

/// Where reading stands, and what was found so far.
pub(super) struct Place<'m> {
    mode: Mode<'m>,
    steps: Vec<Step>,
    /// The value being read is not there at all.
    missing: bool,
    faults: Vec<Fault>,
    unknown: Vec<Unknown>,
    notes: Vec<Fault>,
}

impl Place<'_> {
    /// Whether the document is imported, and so read with more patience.
    pub(super) const fn is_import(&self) -> bool {
        matches!(self.mode, Mode::Import)
    }

    /// Whether the document got in before.
    pub(super) const fn is_stored(&self) -> bool {
        matches!(self.mode, Mode::Stored)
    }

    /// Finds a fault here.
    pub(super) fn fault(&mut self, detail: impl Into<String>) {
        self.fault_below("", detail);
    }

    /// Finds a fault at a pointer that begins here.
    pub(super) fn fault_below(&mut self, below: &str, detail: impl Into<String>) {
        let pointer = format!("{}{below}", self.pointer());
        self.faults.push(Fault {
            pointer,
            detail: detail.into(),
        });
    }

    /// Tells the operator about a pointer that begins here.
    pub(super) fn note_below(&mut self, below: &str, detail: impl Into<String>) {
        let pointer = format!("{}{below}", self.pointer());
        self.notes.push(Fault {
            pointer,
            detail: detail.into(),
        });
    }

    /// Finds that the value here is of another kind than it `should` be.
    pub(super) fn wrong<T>(&mut self, value: &Value, should: &str) -> Option<T> {
        let kind = match value {
            Value::Null if self.missing => return self.refuse(format!("is missing; it should be {should}")),
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.refuse(format!("should be {should}, not {kind}"))
    }

    /// Finds a fault here and gives nothing.
    pub(super) fn refuse<T>(&mut self, detail: impl Into<String>) -> Option<T> {
        self.fault(detail);
        None
    }

    /// The value with `MongoDB`'s Extended JSON taken off, where that is accepted.
    fn plain<'v>(&self, value: &'v Value) -> Cow<'v, Value> {
        if self.is_import() {
            unwrap(value)
        } else {
            Cow::Borrowed(value)
        }
    }

    fn within<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        let missing = std::mem::take(&mut self.missing);
        self.steps.push(step);
        let value = read(self);
        self.steps.pop();
        self.missing = missing;
        value
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.steps {
            match step {
                Step::Field(name) => push_escaped(&mut pointer, name),
                Step::Key(name) => push_escaped(&mut pointer, name),
                // Writing to a String cannot fail.
                Step::Index(index) => _ = write!(pointer, "/{index}"),
            }
        }
        pointer
    }

    /// Whether the stored document had that field here. Items of lists move, so any item of a list will do.
    fn stood_before(&self, name: &str) -> bool {
        fn walk(stored: &Value, steps: &[Step], name: &str) -> bool {
            let Some((step, rest)) = steps.split_first() else {
                return stored.get(name).is_some();
            };
            match (step, stored) {
                (Step::Index(_), Value::Array(items)) => items.iter().any(|item| walk(item, rest, name)),
                (Step::Field(key), Value::Object(fields)) => {
                    fields.get(*key).is_some_and(|next| walk(next, rest, name))
                }
                (Step::Key(key), Value::Object(fields)) => fields.get(key).is_some_and(|next| walk(next, rest, name)),
                _ => false,
            }
        }
        match self.mode {
            Mode::Strict { known_before } => walk(known_before, &self.steps, name),
            Mode::Import | Mode::Stored => true,
        }
    }
}

/// Finds a fault wherever a text repeats an earlier one; the pointers begin at the reader's object.
pub(super) fn refuse_repeats<'a>(place: &mut Place<'_>, texts: impl IntoIterator<Item = (String, Cow<'a, str>)>) {
    let here = place.pointer();
    let mut first = HashMap::new();
    for (pointer, text) in texts {
        match first.entry(text) {
            Entry::Vacant(entry) => _ = entry.insert(pointer),
            Entry::Occupied(entry) => {
                let detail = format!(
                    "repeats \"{}\" of `{here}{}`; it should be unique",
                    entry.key(),
                    entry.get()
                );
                place.fault_below(&pointer, detail);
            }
        }
    }
}

/// The texts under one name in each object of a list, with their pointers.
pub(super) fn texts_of<'a>(list: Option<&'a Value>, at: &str, name: &str) -> Vec<(String, Cow<'a, str>)> {
    let items = list.and_then(Value::as_array).into_iter().flatten().enumerate();
    let text_of = |(index, item): (usize, &'a Value)| {
        let text = if name.is_empty() {
            item.as_str()
        } else {
            item.get(name)?.as_str()
        };
        let pointer = if name.is_empty() {
            format!("{at}/{index}")
        } else {
            format!("{at}/{index}/{name}")
        };
        Some((pointer, Cow::Borrowed(text?)))
    };
    items.filter_map(text_of).collect()
}

/// Appends one token of a JSON pointer (RFC 6901).
pub(super) fn push_escaped(pointer: &mut String, token: &str) {
    pointer.push('/');
    for letter in token.chars() {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            _ => pointer.push(letter),
        }
    }
}

/// One JSON object that is being read.
pub(super) struct Reader<'v, 'm> {
    source: &'v Map<String, Value>,
    written: Map<String, Value>,
    known: Vec<&'static str>,
    /// A field that is unknown is refused on import too.
    is_closed: bool,
    /// Where the object stands.
    pub(super) place: &'v mut Place<'m>,
}

impl<'v> Reader<'v, '_> {
    /// A field that has to be there.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        shape: impl Fn(&Value, &mut Place<'_>) -> Read<T>,
    ) -> Option<T> {
        self.known.push(name);
        self.written.insert(name.into(), Value::Null);
        let found = self.source.get(name);
        let read = self.place.within(Step::Field(name), |place| {
            place.missing = found.is_none();
            let value = found.map_or(Cow::Owned(Value::Null), |found| place.plain(found));
            shape(&value, place)
        });
        self.write(name, read)
    }

    /// A field that may be absent or null.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        shape: impl Fn(&Value, &mut Place<'_>) -> Read<T>,
    ) -> Option<T> {
        if self.is_absent(name) {
            self.known.push(name);
            self.written.insert(name.into(), Value::Null);
            return None;
        }
        self.required(name, shape)
    }

    /// A field that is left out of the canonical JSON as well when it is absent or null.
    pub(super) fn sparse<T>(
        &mut self,
        name: &'static str,
        shape: impl Fn(&Value, &mut Place<'_>) -> Read<T>,
    ) -> Option<T> {
        if self.is_absent(name) {
            self.known.push(name);
            return None;
        }
        self.required(name, shape)
    }

    /// A field with a default, which is given as JSON and read like any other value.
    pub(super) fn or<T>(
        &mut self,
        name: &'static str,
        default: impl Into<Value>,
        shape: impl Fn(&Value, &mut Place<'_>) -> Read<T>,
    ) -> Option<T> {
        if !self.is_absent(name) {
            return self.required(name, shape);
        }
        self.known.push(name);
        let read = self
            .place
            .within(Step::Field(name), |place| shape(&default.into(), place));
        self.write(name, read)
    }

    /// A field that is not read and not kept, such as what the server owns and shows.
    pub(super) fn ignored(&mut self, name: &'static str) {
        self.known.push(name);
    }

    /// A field that the server owns: typed on import, ignored with all that is in it otherwise, never written.
    pub(super) fn server_owned<T>(
        &mut self,
        name: &'static str,
        shape: impl Fn(&Value, &mut Place<'_>) -> Read<T>,
    ) -> Option<T> {
        if self.place.is_import() {
            return self.taken_out(name, shape);
        }
        self.ignored(name);
        None
    }

    /// A field that is read and does not stand in the canonical JSON.
    pub(super) fn taken_out<T>(
        &mut self,
        name: &'static str,
        shape: impl Fn(&Value, &mut Place<'_>) -> Read<T>,
    ) -> Option<T> {
        let value = self.optional(name, shape);
        self.written.shift_remove(name);
        value
    }

    /// A time that the server owns. What an import brings along is kept, and nobody changes it afterwards.
    pub(super) fn server_time(&mut self, name: &'static str) {
        if let Mode::Strict { known_before } = self.place.mode {
            self.known.push(name);
            if let Some(stored) = known_before.get(name).filter(|_| self.place.steps.is_empty()) {
                self.written.insert(name.into(), stored.clone());
            }
        }
    }

    /// Whose document it is, which the path says already: written, and a fault when the document says otherwise.
    pub(super) fn owner(&mut self, name: &'static str, owner: &str) {
        self.known.push(name);
        self.written.insert(name.into(), owner.into());
        let given = self
            .source
            .get(name)
            .filter(|given| !given.is_null())
            .map(|given| self.place.plain(given));
        if let Some(given) = given
            && given
                .as_str()
                .is_none_or(|given| given.trim().to_lowercase() != owner.to_lowercase())
        {
            let detail = format!("should be \"{owner}\", whose document this is, or be left out");
            self.place.fault_below(&format!("/{name}"), detail);
        }
    }

    /// Says that secrets stand in this object, so that a field nobody knows may be a misspelt one.
    pub(super) fn holds_secrets(&mut self) {
        self.is_closed = true;
    }

    /// A secret, which is taken out of the canonical JSON.
    pub(super) fn secret(&mut self, name: &'static str) -> Change {
        self.known.push(name);
        match self.source.get(name) {
            None => Change::Keep,
            Some(Value::Null) => Change::Remove,
            Some(value) => {
                let read = self
                    .place
                    .within(Step::Field(name), |place| shapes::line(1..=1_000)(value, place));
                read.map_or(Change::Keep, |(secret, _)| Change::Set(SecretString::from(&*secret)))
            }
        }
    }

    /// The field as it stands in the document, without reading it.
    pub(super) fn raw(&self, name: &str) -> Option<&'v Value> {
        self.source.get(name)
    }

    /// Writes a value into an object of the canonical JSON that was not read from there.
    pub(super) fn overwrite_in(&mut self, object: &str, name: &'static str, value: Value) {
        if let Some(fields) = self.written.get_mut(object).and_then(Value::as_object_mut) {
            fields.insert(name.into(), value);
        }
    }

    fn is_absent(&self, name: &str) -> bool {
        self.source.get(name).is_none_or(Value::is_null)
    }

    fn write<T>(&mut self, name: &'static str, read: Read<T>) -> Option<T> {
        let (value, json) = read?;
        self.written.insert(name.into(), json);
        Some(value)
    }

    fn finish(mut self) -> Map<String, Value> {
        let unread: Vec<_> = self
            .source
            .iter()
            .filter(|(name, _)| !self.known.contains(&name.as_str()))
            .collect();
        for (name, value) in unread {
            let mut below = String::new();
            push_escaped(&mut below, name);
            let nearest = nearest(name, self.known.iter().copied());
            let is_refused = self.is_closed && self.place.is_import();
            if is_refused || !self.place.stood_before(name) {
                let hint = match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("the fields here are {}", self.known.join(", ")),
                };
                let detail = if is_refused {
                    format!(
                        "unknown field `{name}`; {hint} Beside secrets nothing unknown is kept: rename it or leave it out"
                    )
                } else {
                    format!("unknown field `{name}`; {hint}")
                };
                self.place.fault_below(&below, detail);
                continue;
            }
            if !self.place.is_stored() {
                secret_fields::refuse_secrets(name, value, &below, self.place);
            }
            let pointer = format!("{}{below}", self.place.pointer());
            self.place.unknown.push(Unknown {
                pointer,
                nearest: nearest.map(str::to_owned),
            });
            self.written.insert(name.clone(), value.clone());
        }
        self.written
    }
}
