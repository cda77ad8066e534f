//! The reliability plot: how sure the matcher said it was, against how often it was right.

use std::fmt::{self, Write as _};

use super::{float, metrics::Reliability};

/// The side of the square, in units of the picture.
const SIDE: f64 = 400.0;
/// What is left of and above it.
const LEFT: f64 = 70.0;
const TOP: f64 = 84.0;
/// The height of the bars that count predictions.
const COUNTS: f64 = 80.0;
/// Between the square and these bars.
const GAP: f64 = 50.0;
const WIDTH: f64 = LEFT + SIDE + 190.0;
const HEIGHT: f64 = TOP + SIDE + GAP + COUNTS + 60.0;

/// The plot as an SVG document. A bar is a tenth of confidence: its height is the share that was right, the dot on it the
/// mean confidence; perfect calibration is the diagonal. Below: how many predictions a tenth has.
#[must_use]
pub fn svg(title: &str, reliability: &Reliability) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    _ = draw(&mut out, title, reliability);
    out
}

fn draw(out: &mut String, title: &str, reliability: &Reliability) -> fmt::Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">"
    )?;
    writeln!(out, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>")?;
    // A title says what was evaluated, then how much; as one line it would be too long.
    let (what, more) = title.split_once(": ").unwrap_or((title, ""));
    writeln!(
        out,
        "<text x=\"20\" y=\"26\" font-size=\"14\" font-weight=\"bold\">{}</text>",
        escaped(what)
    )?;
    writeln!(out, "<text x=\"20\" y=\"46\" font-size=\"11\">{}</text>", escaped(more))?;
    writeln!(
        out,
        "<text x=\"20\" y=\"64\">expected calibration error {:.1} % over {} predictions</text>",
        100.0 * reliability.error,
        reliability.predictions
    )?;
    axes(out)?;
    let most = reliability
        .bins
        .iter()
        .map(|bin| bin.predictions)
        .max()
        .unwrap_or_default()
        .max(1);
    let (bottom, counts_bottom) = (TOP + SIDE, TOP + SIDE + GAP + COUNTS);
    for (tenth, bin) in (0_u8..).zip(&reliability.bins).filter(|(_, bin)| bin.predictions > 0) {
        let (left, width) = (LEFT + SIDE * f64::from(tenth) / 10.0 + 2.0, SIDE / 10.0 - 4.0);
        let middle = left + width / 2.0;
        let high = SIDE * bin.right;
        writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{high:.1}\" fill=\"#a9c6e3\"/>",
            bottom - high
        )?;
        let (said_x, said_y) = (LEFT + SIDE * bin.confidence, bottom - SIDE * bin.confidence);
        // From what was said to what was so: the distance that the error sums up.
        writeln!(
            out,
            "<line x1=\"{said_x:.1}\" y1=\"{said_y:.1}\" x2=\"{said_x:.1}\" y2=\"{:.1}\" stroke=\"#e45756\" stroke-width=\"2\"/>",
            bottom - high
        )?;
        writeln!(
            out,
            "<circle cx=\"{said_x:.1}\" cy=\"{said_y:.1}\" r=\"4\" fill=\"#e45756\"/>"
        )?;
        let count = COUNTS * float(bin.predictions) / float(most);
        writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{count:.1}\" fill=\"#9aa5b1\"/>",
            counts_bottom - count
        )?;
        writeln!(
            out,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\">{}</text>",
            counts_bottom - count - 4.0,
            bin.predictions
        )?;
    }
    writeln!(
        out,
        "<line x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{TOP}\" stroke=\"#4a525c\" stroke-dasharray=\"5 4\"/>",
        LEFT + SIDE
    )?;
    legend(out)?;
    writeln!(out, "</svg>")
}

fn axes(out: &mut String) -> fmt::Result {
    let (right, bottom, counts_bottom) = (LEFT + SIDE, TOP + SIDE, TOP + SIDE + GAP + COUNTS);
    for tenth in (0_u8..=10).step_by(2) {
        let at = f64::from(tenth) / 10.0;
        let (x, y) = (LEFT + SIDE * at, bottom - SIDE * at);
        writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#e3e6ea\"/>"
        )?;
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{at:.1}</text>",
            LEFT - 8.0,
            y + 4.0
        )?;
        writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at:.1}</text>",
            bottom + 18.0
        )?;
        writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at:.1}</text>",
            counts_bottom + 18.0
        )?;
    }
    writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"#8a929c\"/>"
    )?;
    writeln!(
        out,
        "<line x1=\"{LEFT}\" y1=\"{counts_bottom}\" x2=\"{right}\" y2=\"{counts_bottom}\" stroke=\"#8a929c\"/>"
    )?;
    let (middle, centre) = (LEFT + SIDE / 2.0, TOP + SIDE / 2.0);
    writeln!(
        out,
        "<text x=\"24\" y=\"{centre}\" text-anchor=\"middle\" transform=\"rotate(-90 24 {centre})\">share that was right</text>"
    )?;
    writeln!(
        out,
        "<text x=\"24\" y=\"{0}\" text-anchor=\"middle\" transform=\"rotate(-90 24 {0})\">predictions</text>",
        counts_bottom - COUNTS / 2.0
    )?;
    writeln!(
        out,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">confidence</text>",
        counts_bottom + 40.0
    )
}

fn legend(out: &mut String) -> fmt::Result {
    let (x, y) = (LEFT + SIDE + 20.0, TOP + 10.0);
    let text = |out: &mut String, line: f64, says: &str| {
        writeln!(out, "<text x=\"{}\" y=\"{}\">{says}</text>", x + 24.0, y + line + 4.0)
    };
    writeln!(
        out,
        "<rect x=\"{x}\" y=\"{}\" width=\"14\" height=\"14\" fill=\"#a9c6e3\"/>",
        y - 7.0
    )?;
    text(out, 0.0, "was right")?;
    writeln!(
        out,
        "<circle cx=\"{}\" cy=\"{}\" r=\"4\" fill=\"#e45756\"/>",
        x + 7.0,
        y + 24.0
    )?;
    text(out, 24.0, "said to be right")?;
    writeln!(
        out,
        "<line x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{2}\" stroke=\"#e45756\" stroke-width=\"2\"/>",
        x + 7.0,
        y + 40.0,
        y + 56.0
    )?;
    text(out, 48.0, "the distance")?;
    writeln!(
        out,
        "<line x1=\"{x}\" y1=\"{1}\" x2=\"{0}\" y2=\"{1}\" stroke=\"#4a525c\" stroke-dasharray=\"5 4\"/>",
        x + 16.0,
        y + 72.0
    )?;
    text(out, 72.0, "perfect calibration")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
