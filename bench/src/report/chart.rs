//! One figure as a strip of dots for us and one for the peer, over one scale.

use std::fmt::Write;

use super::escape;
use crate::results::Row;
use crate::results::figure;
use crate::stats::Stats;

const WIDTH: f64 = 760.0;
/// Where the scale begins and ends.
const LEFT: f64 = 12.0;
const RIGHT: f64 = WIDTH - 44.0;
const STRIP: f64 = 44.0;
const TOP: f64 = 18.0;
const OURS: &str = "#1f6fb2";
const THEIRS: &str = "#9a6b00";

/// The chart.
pub(super) fn svg(row: &Row) -> String {
    let mut strips = vec![("AIPress", &row.of, OURS)];
    if let Some(peer) = &row.peer {
        strips.push((peer.name.as_str(), &peer.of, THEIRS));
    }
    let bounds = [row.floor, row.aim].into_iter().flatten();
    let largest = strips.iter().map(|(_, of, _)| of.max).chain(bounds).fold(f64::MIN, f64::max);
    let end = nice(largest);
    let x = |value: f64| LEFT + (RIGHT - LEFT) * (value / end).clamp(0.0, 1.0);
    let bottom = TOP + STRIP * strips.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{0}\" \
         viewBox=\"0 0 {WIDTH} {0}\" font-family=\"system-ui,sans-serif\" font-size=\"11\" role=\"img\">\n",
        bottom + 22.0
    );
    for tick in 0..=4 {
        let value = end * f64::from(tick) / 4.0;
        let at = x(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"#e3e8ec\"/>\
             <text x=\"{at:.1}\" y=\"{:.0}\" fill=\"#6b7885\" text-anchor=\"middle\">{}</text>",
            bottom + 14.0,
            figure(value)
        );
    }
    for (number, (name, of, colour)) in strips.iter().enumerate() {
        svg.push_str(&strip(name, of, colour, TOP + STRIP * number as f64, &x));
    }
    for (name, bound, dash) in [("floor", row.floor, "6 3"), ("aim", row.aim, "2 3")] {
        let Some(bound) = bound else { continue };
        let at = x(bound);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.0}\" y2=\"{bottom}\" stroke=\"#1c2733\" \
             stroke-dasharray=\"{dash}\"/><text x=\"{at:.1}\" y=\"10\" fill=\"#1c2733\" \
             text-anchor=\"middle\">{name} {}</text>",
            TOP - 4.0,
            figure(bound)
        );
    }
    svg.push_str("</svg>");
    svg
}

fn strip(name: &str, of: &Stats, colour: &str, top: f64, x: &impl Fn(f64) -> f64) -> String {
    let middle = top + STRIP * 0.66;
    let mut svg = format!(
        "<text x=\"{LEFT}\" y=\"{:.0}\" fill=\"{colour}\">{}: median {}, {} to {}, {} samples</text>\n",
        top + 13.0,
        escape(name),
        figure(of.median),
        figure(of.min),
        figure(of.max),
        of.samples
    );
    for (number, value) in of.values.iter().enumerate() {
        // Dots of nearly the same value are drawn beside each other, always the same way.
        let offset = (number % 7) as f64 * 2.0 - 6.0;
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.2\" fill=\"{colour}\" fill-opacity=\".35\"/>",
            x(*value),
            middle + offset
        );
    }
    let at = x(of.median);
    let _ = writeln!(
        svg,
        "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
         stroke-width=\"3\"/>",
        middle - 10.0,
        middle + 10.0
    );
    svg
}

/// The end of a scale: 1, 2, 2.5 or 5 times a power of ten, not below `value`.
fn nice(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|end| *end >= value)
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    #[test]
    fn scales_end_at_round_values() {
        assert_eq!([0.97, 1.0, 1.2, 43.0, 310.0].map(super::nice), [1.0, 1.0, 1.5, 50.0, 400.0]);
        assert_eq!(super::nice(0.0), 1.0);
    }
}
