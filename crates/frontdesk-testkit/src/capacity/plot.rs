//! Bars beside their numbers, as SVG.

use std::fmt::Write as _;

const LEFT: f64 = 290.0;
const WIDTH: f64 = 460.0;
const ROW: f64 = 20.0;
const COLOURS: [&str; 2] = ["#1f6fb2", "#d2802a"];

/// Bars that are measured alike.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they show, with its unit.
    pub title: String,
    /// What each bar is, which of the two stores it is of, and its value.
    pub bars: Vec<(String, usize, f64)>,
}

/// The picture of these groups, one below the other.
#[must_use]
pub fn svg(title: &str, groups: &[Group]) -> String {
    let mut drawn = String::new();
    let mut y = 40.0;
    for Group { title, bars } in groups {
        // Writing to a String cannot fail.
        _ = writeln!(drawn, r#"<text x="10" y="{y:.0}" class="group">{title}</text>"#);
        let most = bars
            .iter()
            .map(|(_, _, value)| *value)
            .fold(f64::MIN_POSITIVE, f64::max);
        for (name, of, value) in bars {
            y += ROW;
            let width = value / most * WIDTH;
            let colour = COLOURS.get(*of).copied().unwrap_or("#888");
            let digits = usize::from(*value < 100.0);
            _ = writeln!(
                drawn,
                r#"<text x="{:.0}" y="{y:.0}" class="name">{name}</text>
<rect x="{LEFT}" y="{:.0}" width="{width:.1}" height="14" fill="{colour}"/>
<text x="{:.1}" y="{y:.0}" class="value">{value:.digits$}</text>"#,
                LEFT - 8.0,
                y - 11.0,
                LEFT + width + 6.0
            );
        }
        y += 34.0;
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:.0} {y:.0}" font-family="sans-serif">
<style>.group{{font-size:13px;font-weight:bold}}.name{{font-size:12px;text-anchor:end}}.value{{font-size:12px;fill:#555}}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="18" font-size="15">{title}</text>
{drawn}</svg>
"##,
        LEFT + WIDTH + 80.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_the_largest_value() {
        let group = Group {
            title: "turns a second".into(),
            bars: vec![("one".into(), 0, 50.0), ("two".into(), 1, 200.0)],
        };
        let drawn = svg("a run", &[group]);
        assert!(
            drawn.contains(r#"width="115.0""#) && drawn.contains(r#"width="460.0""#),
            "{drawn}"
        );
        assert!(drawn.contains(">50.0<") && drawn.contains(">200<"), "{drawn}");
    }
}
