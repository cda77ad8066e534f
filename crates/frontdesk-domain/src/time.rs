//! Instants, zones, months and opening hours.
//!
//! Thin over jiff. Nothing here reads a clock, and zones come from the database that is compiled in.

use std::{fmt, str::FromStr, sync::LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use jiff::{Timestamp, civil::Date, tz::TimeZone};
use jiff::{
    civil::{DateTime, Time, Weekday},
    tz::TimeZoneDatabase,
};

/// Reads an instant in RFC 3339, whose offsets are below a day.
#[must_use]
pub fn instant(text: &str) -> Option<Timestamp> {
    let at = text.parse().ok()?;
    let offset = text.rsplit_once(['+', '-']).filter(|(time, _)| time.contains(':'));
    let hours = offset.and_then(|(_, offset)| offset.get(..2)?.parse::<u8>().ok());
    hours.is_none_or(|hours| hours < 24).then_some(at)
}

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The IANA zone of that name, such as `America/New_York`.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

/// A month in a company's zone, written `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MonthKey {
    year: i16,
    month: i8,
}

impl MonthKey {
    /// The month that `at` lies in.
    #[must_use]
    pub fn of(at: Timestamp, zone: &TimeZone) -> Self {
        let date = zone.to_datetime(at).date();
        Self {
            year: date.year(),
            month: date.month(),
        }
    }

    /// The month that a budget was last reset for: that of a first of the month at midnight UTC is that month in every
    /// zone. So other systems write it, whatever the company's zone.
    #[must_use]
    pub fn of_reset(at: Timestamp, zone: &TimeZone) -> Self {
        let in_utc = TimeZone::UTC.to_datetime(at);
        if in_utc.day() == 1 && in_utc.time() == Time::midnight() {
            Self::of(at, &TimeZone::UTC)
        } else {
            Self::of(at, zone)
        }
    }
}

impl fmt::Display for MonthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// The text is not a month such as `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a month is written such as 2026-11")]
pub struct NotAMonth;

impl FromStr for MonthKey {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let year = digits(year, 4..=4)
            .and_then(|year| i16::try_from(year).ok())
            .ok_or(NotAMonth)?;
        let month = digits(month, 2..=2)
            .and_then(|month| i8::try_from(month).ok())
            .ok_or(NotAMonth)?;
        if (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(NotAMonth)
        }
    }
}

impl Serialize for MonthKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MonthKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<u16> {
    let only_digits = length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok()).flatten()
}

const MINUTES_A_DAY: u16 = 24 * 60;

/// The open ranges of one day, in minutes since its midnight. An end above 24 hours lies in the next day:
/// the night belongs to the day on which it begins.
type DayRanges = Vec<(u16, u16)>;

/// Opening hours of a week, as wall-clock time of the company's zone.
///
/// Written `always`, `closed`, or parts joined by commas: `mon-fri 08:00-12:00 13:00-18:00, sat, sun 22:00-04:00`.
/// A part without days means the days before it; days without a range share the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// From Monday to Sunday.
    week: [DayRanges; 7],
}

/// Why a text is not opening hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHours {
    /// Nothing is written.
    #[error("is empty; write \"always\", \"closed\" or ranges such as \"mon-fri 08:00-18:00, sat 09:00-13:00\"")]
    Empty,
    /// A word is neither a day nor a range.
    #[error(
        "does not understand \"{0}\"; write \"always\", \"closed\" or ranges such as \"mon-fri 08:00-18:00, sat 09:00-13:00\""
    )]
    Word(String),
    /// The first range names no day.
    #[error("names no day before \"{0}\"; write for example \"mon-sun {0}\"")]
    NoDay(String),
    /// The last day has no range.
    #[error("has no hours for \"{0}\"; write for example \"{0} 08:00-18:00\"")]
    NoRange(String),
    /// A range begins where it ends.
    #[error("has a range \"{0}\" without length; the whole day is 00:00-24:00")]
    NoLength(String),
    /// A holiday is one date, so a day of the week has no meaning there.
    #[error(
        "names the day \"{0}\"; the hours of a single date are \"closed\", \"always\" or ranges such as \"10:00-14:00\""
    )]
    DayOnDate(String),
}

impl Hours {
    /// Open at any time.
    #[must_use]
    pub fn always() -> Self {
        Self {
            week: std::array::from_fn(|_| vec![(0, MINUTES_A_DAY)]),
        }
    }

    /// Never open.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            week: Default::default(),
        }
    }

    /// Whether it is open at that instant, by the wall clock of the zone; see [`Schedule::is_open`].
    #[must_use]
    pub fn is_open(&self, at: Timestamp, zone: &TimeZone) -> bool {
        is_open(at, zone, |date| self.on(date.weekday()))
    }

    fn on(&self, day: Weekday) -> &[(u16, u16)] {
        usize::try_from(day.to_monday_zero_offset())
            .ok()
            .and_then(|day| self.week.get(day))
            .map_or(&[], Vec::as_slice)
    }
}

impl FromStr for Hours {
    type Err = NotHours;

    fn from_str(text: &str) -> Result<Self, NotHours> {
        match whole_word(text)? {
            Some(true) => return Ok(Self::always()),
            Some(false) => return Ok(Self::closed()),
            None => {}
        }
        let mut hours = Self::closed();
        let mut days: Vec<usize> = Vec::new();
        let mut last_day = None;
        for part in text.split(',') {
            for word in part.split_whitespace() {
                if let Some(named) = day_span(word) {
                    // Days after a range begin a new group; days after days join theirs.
                    if last_day.is_none() {
                        days.clear();
                    }
                    days.extend(named);
                    last_day = Some(word);
                } else {
                    let range = range(word)?;
                    if days.is_empty() {
                        return Err(NotHours::NoDay(word.to_owned()));
                    }
                    last_day = None;
                    for day in &days {
                        if let Some(ranges) = hours.week.get_mut(*day) {
                            ranges.extend(range);
                        }
                    }
                }
            }
        }
        match last_day {
            Some(day) => Err(NotHours::NoRange(day.to_owned())),
            None => Ok(hours),
        }
    }
}

/// `always` is true, `closed` is false, anything else is read word by word.
fn whole_word(text: &str) -> Result<Option<bool>, NotHours> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NotHours::Empty);
    }
    if text.eq_ignore_ascii_case("always") {
        return Ok(Some(true));
    }
    Ok(text.eq_ignore_ascii_case("closed").then_some(false))
}

/// `tue`, `tuesday`, `mon-fri`, and across the week's end `fri-mon`.
fn day_span(word: &str) -> Option<Vec<usize>> {
    let (first, last) = split_span(word).unwrap_or((word, word));
    let (first, last) = (day(first)?, day(last)?);
    let length = (last + 7 - first) % 7 + 1;
    Some((first..first + length).map(|day| day % 7).collect())
}

fn day(word: &str) -> Option<usize> {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let word = word.to_ascii_lowercase();
    DAYS.iter()
        .position(|day| *day == word || day.get(..3) == Some(word.as_str()))
}

/// `08:00-18:00` in minutes; the end is above 24 hours when the range passes midnight; `closed` is no range.
fn range(word: &str) -> Result<Option<(u16, u16)>, NotHours> {
    if word.eq_ignore_ascii_case("closed") {
        return Ok(None);
    }
    let not_understood = || NotHours::Word(word.to_owned());
    let (start, end) = split_span(word).ok_or_else(not_understood)?;
    let start = minutes(start)
        .filter(|start| *start < MINUTES_A_DAY)
        .ok_or_else(not_understood)?;
    let end = minutes(end).ok_or_else(not_understood)?;
    if start == end {
        return Err(NotHours::NoLength(word.to_owned()));
    }
    Ok(Some((start, if end < start { end + MINUTES_A_DAY } else { end })))
}

/// `08:30` or `8:30`, up to `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (digits(hour, 1..=2)?, digits(minute, 2..=2)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= MINUTES_A_DAY).then_some(total)
}

fn split_span(word: &str) -> Option<(&str, &str)> {
    word.split_once(['-', '–'])
}

/// One date whose hours replace those of its day of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// The date in the company's zone.
    pub date: Date,
    ranges: DayRanges,
}

impl Holiday {
    /// Reads the hours of one date: `closed`, `always`, or ranges without days such as `10:00-14:00`.
    pub fn new(date: Date, hours: &str) -> Result<Self, NotHours> {
        let ranges = match whole_word(hours)? {
            Some(true) => vec![(0, MINUTES_A_DAY)],
            Some(false) => Vec::new(),
            None => {
                let mut ranges = Vec::new();
                for word in hours.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
                    if day_span(word).is_some() {
                        return Err(NotHours::DayOnDate(word.to_owned()));
                    }
                    ranges.extend(range(word)?);
                }
                ranges
            }
        };
        Ok(Self { date, ranges })
    }
}

/// When somebody is there: the hours of the week, and the dates that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The hours of the week.
    pub hours: Hours,
    /// Dates with hours of their own.
    pub holidays: Vec<Holiday>,
}

impl Schedule {
    /// Open at any time.
    #[must_use]
    pub fn always() -> Self {
        Self {
            hours: Hours::always(),
            holidays: Vec::new(),
        }
    }

    /// Whether it is open at that instant, by the wall clock of the zone.
    ///
    /// A range past midnight belongs to the day on which it begins, so a holiday closes its own evening and
    /// not the night that began before it. An hour that the clocks repeat is open both times.
    #[must_use]
    pub fn is_open(&self, at: Timestamp, zone: &TimeZone) -> bool {
        is_open(at, zone, |date| self.on(date))
    }

    fn on(&self, date: Date) -> &[(u16, u16)] {
        match self.holidays.iter().find(|holiday| holiday.date == date) {
            Some(holiday) => &holiday.ranges,
            None => self.hours.on(date.weekday()),
        }
    }
}

fn is_open<'a>(at: Timestamp, zone: &TimeZone, ranges_on: impl Fn(Date) -> &'a [(u16, u16)]) -> bool {
    let now: DateTime = zone.to_datetime(at);
    let minute = u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or(0);
    let within = |date, minute| {
        ranges_on(date)
            .iter()
            .any(|(start, end)| (*start..*end).contains(&minute))
    };
    within(now.date(), minute)
        || now
            .date()
            .yesterday()
            .is_ok_and(|yesterday| within(yesterday, minute + MINUTES_A_DAY))
}

#[cfg(test)]
mod tests;
