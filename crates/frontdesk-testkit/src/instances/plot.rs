//! A run as a picture: turns and their times, second by second, as SVG.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::load::Turn;
use crate::report::quantile;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
const GAP: f64 = 45.0;

/// What one second of a run was like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Second {
    turns: f64,
    repeated: f64,
    /// 99 of a hundred turns were answered within so many milliseconds.
    p99: f64,
}

/// What is drawn of a second.
type Measure = fn(&Second) -> f64;

/// The picture; `events` are said where they happened.
#[must_use]
pub fn svg(title: &str, turns: &[Turn], events: &[(Duration, String)]) -> String {
    let seconds = by_second(turns);
    let last = seconds.keys().next_back().copied().unwrap_or_default();
    let x = |second: f64| LEFT + second / f64::from(u32::try_from(last.max(1)).unwrap_or(u32::MAX)) * WIDTH;
    let mut drawn = String::new();
    let rows: [(&str, Measure); 3] = [
        ("turns answered a second", |second| second.turns),
        ("99 of a hundred answered within, ms", |second| second.p99),
        ("webhooks repeated elsewhere a second", |second| second.repeated),
    ];
    for (row, (name, value)) in rows.iter().enumerate() {
        let top = TOP + f64::from(u32::try_from(row).unwrap_or_default()) * (HEIGHT + GAP);
        let most = seconds.values().map(value).fold(1.0, f64::max);
        let points = (0..=last).map(|second| {
            let height = seconds.get(&second).map_or(0.0, value) / most * HEIGHT;
            let at = x(f64::from(u32::try_from(second).unwrap_or(u32::MAX)));
            format!("{at:.1},{:.1}", top + HEIGHT - height)
        });
        let points: Vec<_> = points.collect();
        // Writing to a String cannot fail.
        _ = writeln!(
            drawn,
            r##"<text x="{LEFT}" y="{:.0}" class="name">{name}</text>
<text x="{:.0}" y="{:.0}" class="scale">{most:.0}</text><text x="{:.0}" y="{:.0}" class="scale">0</text>
<rect x="{LEFT}" y="{top:.0}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>
<polyline fill="none" stroke="#1f6fb2" stroke-width="1.5" points="{}"/>"##,
            top - 8.0,
            LEFT - 6.0,
            top + 10.0,
            LEFT - 6.0,
            top + HEIGHT,
            points.join(" ")
        );
    }
    let bottom = TOP + 3.0 * (HEIGHT + GAP) - GAP;
    for (number, (at, event)) in events.iter().enumerate() {
        let at = x(at.as_secs_f64());
        let low = bottom + 18.0 + 14.0 * f64::from(u32::try_from(number).unwrap_or_default());
        _ = writeln!(
            drawn,
            r##"<line x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{bottom:.0}" stroke="#c33" stroke-dasharray="3 3"/>
<line x1="{at:.1}" x2="{at:.1}" y1="{bottom:.0}" y2="{low:.0}" stroke="#c33" stroke-width="0.5"/>
<text x="{:.1}" y="{low:.0}" class="event">{}</text>"##,
            at + 3.0,
            escaped(event)
        );
    }
    let height = bottom + 40.0 + 14.0 * f64::from(u32::try_from(events.len()).unwrap_or_default());
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:.0} {height:.0}" font-family="sans-serif">
<style>.name{{font-size:13px}}.scale{{font-size:11px;text-anchor:end;fill:#555}}.event{{font-size:11px;fill:#a22}}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="16" font-size="15">{}; {last} s</text>
{drawn}</svg>
"##,
        LEFT + WIDTH + 180.0,
        escaped(title)
    )
}

fn by_second(turns: &[Turn]) -> BTreeMap<u64, Second> {
    let mut times: BTreeMap<u64, Vec<Duration>> = BTreeMap::new();
    let mut seconds: BTreeMap<u64, Second> = BTreeMap::new();
    for turn in turns {
        let second = (turn.at + turn.took).as_secs();
        times.entry(second).or_default().push(turn.took);
        let seen = seconds.entry(second).or_default();
        seen.turns += 1.0;
        seen.repeated += if turn.attempts > 1 { 1.0 } else { 0.0 };
    }
    for (second, times) in &mut times {
        let p99 = quantile(times, 0.99).as_secs_f64() * 1_000.0;
        seconds.entry(*second).or_default().p99 = p99;
    }
    seconds
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_drawn_second_by_second() {
        let turn = |at: u64, took: u64, attempts| Turn {
            at: Duration::from_millis(at),
            took: Duration::from_millis(took),
            attempts,
        };
        let turns = [turn(100, 5, 1), turn(900, 200, 2), turn(2_000, 7, 1)];
        let seconds = by_second(&turns);
        assert_eq!(
            seconds[&1],
            Second {
                turns: 1.0,
                repeated: 1.0,
                p99: 200.0
            },
            "counted when it is answered"
        );
        let drawn = svg("a < b", &turns, &[(Duration::from_secs(1), "instance 0 & 1".into())]);
        assert!(
            drawn.contains("a &lt; b; 2 s") && drawn.contains("instance 0 &amp; 1"),
            "{drawn}"
        );
        assert_eq!(drawn.matches("<polyline").count(), 3);
    }
}
