use super::*;

fn new_york() -> TimeZone {
    zone("America/New_York").unwrap()
}

/// `at` is wall-clock time in New York.
fn is_open(schedule: &Schedule, at: &str) -> bool {
    let at = new_york().to_timestamp(at.parse().unwrap()).unwrap();
    schedule.is_open(at, &new_york())
}

#[track_caller]
fn check(hours: &str, at: &str, want: bool) {
    let schedule = Schedule {
        hours: hours.parse().unwrap(),
        holidays: vec![],
    };
    assert_eq!(is_open(&schedule, at), want, "{hours} at {at}");
}

#[track_caller]
fn refused(hours: &str, want: &str) {
    assert!(
        hours.parse::<Hours>().unwrap_err().to_string().contains(want),
        "{hours}"
    );
}

#[test]
fn ranges_include_their_start_and_exclude_their_end() {
    // 2026-11-23 is a Monday.
    let hours = "mon-fri 08:00-18:00, sat 09:00-13:00";
    check(hours, "2026-11-23T08:00", true);
    check(hours, "2026-11-23T07:59:59", false);
    check(hours, "2026-11-23T17:59:59", true);
    check(hours, "2026-11-23T18:00", false);
    check(hours, "2026-11-28T12:00", true);
    check(hours, "2026-11-28T14:00", false);
    check(hours, "2026-11-29T12:00", false);
}

#[test]
fn a_range_past_midnight_belongs_to_the_day_on_which_it_begins() {
    // 2026-11-24 is a Tuesday.
    check("mon-sun 22:00-04:00", "2026-11-24T00:30", true);
    check("mon 22:00-04:00", "2026-11-24T00:30", true);
    check("tue 22:00-04:00", "2026-11-24T00:30", false);
    check("sun 22:00-04:00", "2026-11-23T03:59", true);
    check("sun 22:00-04:00", "2026-11-23T04:00", false);
}

#[test]
fn a_day_has_several_ranges_and_days_may_share_them() {
    for hours in [
        "mon-tue 08:00-12:00 13:00-17:00",
        "mon, tue 8:00-12:00, 13:00-17:00",
        "Monday–TUESDAY 08:00-12:00, mon, tue 13:00-17:00",
    ] {
        check(hours, "2026-11-24T09:00", true);
        check(hours, "2026-11-24T12:30", false);
        check(hours, "2026-11-24T16:59", true);
        check(hours, "2026-11-25T09:00", false);
    }
}

#[test]
fn days_wrap_over_the_end_of_the_week() {
    for (day, open) in [
        ("2026-11-27", true),
        ("2026-11-29", true),
        ("2026-11-30", true),
        ("2026-11-26", false),
    ] {
        check("fri-mon 10:00-11:00", &format!("{day}T10:30"), open);
    }
}

#[test]
fn a_day_ends_at_24_00() {
    check("mon 00:00-24:00", "2026-11-23T23:59", true);
    check("mon 00:00-24:00", "2026-11-24T00:00", false);
    check("mon 20:00-00:00", "2026-11-23T23:59", true);
    check("mon 20:00-00:00", "2026-11-24T00:00", false);
}

#[test]
fn always_and_closed_are_words() {
    check("always", "2026-11-24T03:00", true);
    check("Closed", "2026-11-24T12:00", false);
    check("mon-fri 08:00-18:00, sat closed", "2026-11-28T12:00", false);
}

#[test]
fn an_hour_that_does_not_exist_and_one_that_exists_twice() {
    // Clocks go from 02:00 to 03:00 on 2026-03-08 and back from 02:00 to 01:00 on 2026-11-01.
    let schedule = Schedule {
        hours: "sun 01:30-03:30".parse().unwrap(),
        holidays: vec![],
    };
    let open = |at: &str| schedule.is_open(at.parse().unwrap(), &new_york());
    assert!(open("2026-03-08T06:59:00Z"), "01:59 EST");
    assert!(open("2026-03-08T07:29:00Z"), "03:29 EDT");
    assert!(!open("2026-03-08T07:30:00Z"), "03:30 EDT");
    assert!(open("2026-11-01T05:30:00Z"), "01:30 EDT");
    assert!(!open("2026-11-01T06:29:00Z"), "01:29 EST, the second time");
    assert!(open("2026-11-01T08:29:00Z"), "03:29 EST");
}

#[test]
fn a_holiday_replaces_the_hours_of_its_day() {
    let date = "2026-12-25".parse().unwrap();
    let hours = "mon-sun 20:00-02:00".parse().unwrap();
    let schedule = Schedule {
        hours,
        holidays: vec![Holiday::new(date, "10:00-12:00").unwrap()],
    };
    assert!(is_open(&schedule, "2026-12-25T01:00"), "the night that began before it");
    assert!(is_open(&schedule, "2026-12-25T11:00"));
    assert!(!is_open(&schedule, "2026-12-25T21:00"));
    assert!(!is_open(&schedule, "2026-12-26T01:00"), "its own night");
    assert!(is_open(&schedule, "2026-12-26T21:00"));
}

#[test]
fn what_is_no_hours_says_what_would_be() {
    refused("", "is empty");
    refused("whenever", "\"whenever\"");
    refused("mon-fri 8-18", "\"8-18\"");
    refused("mon-fri 08:00-25:00", "\"08:00-25:00\"");
    refused("mon 24:00-25:00", "\"24:00-25:00\"");
    refused("mon 08:60-09:00", "\"08:60-09:00\"");
    refused("funday 08:00-09:00", "\"funday\"");
    refused("08:00-18:00", "names no day");
    refused("mon 08:00-18:00, sat", "no hours for \"sat\"");
    refused("mon 08:00-08:00", "00:00-24:00");
    let date = "2026-12-25".parse().unwrap();
    assert_eq!(
        Holiday::new(date, "fri 10:00-12:00"),
        Err(NotHours::DayOnDate("fri".into()))
    );
}

#[test]
fn a_month_is_that_of_the_zone() {
    let at = "2026-12-01T03:00:00Z".parse().unwrap();
    assert_eq!(MonthKey::of(at, &new_york()).to_string(), "2026-11");
    assert_eq!(MonthKey::of(at, &TimeZone::UTC).to_string(), "2026-12");
    assert_eq!("2026-11".parse(), Ok(MonthKey::of(at, &new_york())));
    // A reset that another system wrote at midnight UTC is of the month that begins there; any other of the zone's month.
    let reset = |text: &str| MonthKey::of_reset(text.parse().unwrap(), &new_york()).to_string();
    assert_eq!(reset("2026-11-01T00:00:00Z"), "2026-11");
    assert_eq!(reset("2026-11-01T00:00:01Z"), "2026-10");
    assert_eq!(reset("2026-11-01T04:00:00Z"), "2026-11");
    for text in ["2026-13", "2026-00", "2026-1", "26-11", "2026", "+026-11"] {
        assert_eq!(text.parse::<MonthKey>(), Err(NotAMonth), "{text}");
    }
}

#[test]
fn zones_are_those_of_iana() {
    assert!(zone("Asia/Kolkata").is_some());
    assert!(zone("Mars/Phobos").is_none());
    assert!(zone("").is_none());
}

#[test]
fn an_instant_has_an_offset_below_a_day() {
    for text in [
        "2026-11-01T08:00:00Z",
        "2026-11-01T08:00:00.5+02:00",
        "2026-11-01 08:00:00-23:59",
    ] {
        assert_eq!(instant(text), text.parse().ok(), "{text}");
        assert!(instant(text).is_some(), "{text}");
    }
    for text in [
        "2026-11-01T08:00:00+24:00",
        "2026-11-01T08:00:00-25:00",
        "2026-11-01T08:00:00+25:59",
        "2026-11-01T08:00:00+01:60",
        "2026-11-01T25:00:00Z",
        "2026-11-01T08:00:00",
        "2026-11-01",
        "",
    ] {
        assert_eq!(instant(text), None, "{text}");
    }
}
