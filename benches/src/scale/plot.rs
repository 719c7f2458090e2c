//! Line plots as SVG that is readable on light and on dark, with nothing from outside.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 340.0;
/// The frame of the plot within the picture: left, top, right, bottom.
const FRAME: (f64, f64, f64, f64) = (64.0, 62.0, 844.0, 292.0);

/// A plot.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    /// What the horizontal axis counts.
    pub(crate) unit: &'a str,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// The outage.
    pub(crate) shaded: (f64, f64),
    pub(crate) lines: &'a [Line<'a>],
}

/// A line: its points stand evenly from the plot's `from` to its `to`, each for the stretch after it.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) points: Vec<f64>,
}

/// Draws. The vertical axis is logarithmic, from 0.1 on: the lines are an order of magnitude apart.
pub(crate) fn draw(plot: &Plot<'_>) -> String {
    let (left, top, right, bottom) = FRAME;
    let most = plot.lines.iter().flat_map(|line| &line.points).fold(1.0_f64, |a, b| a.max(*b));
    let decades = most.log10().ceil().max(1.0);
    let x = |value: f64| left + (value - plot.from) / (plot.to - plot.from) * (right - left);
    let y = |value: f64| bottom - (value.max(0.1).log10() + 1.0) / (decades + 1.0) * (bottom - top);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' \
         aria-label='{title}'>\n<style>\n\
         svg {{ --ink: #1f2328; --faint: #d0d7de; --paper: #ffffff; --shade: #f1e7d0; --a: #b35900; --b: #0a5fb4; }}\n\
         @media (prefers-color-scheme: dark) {{ svg {{ --ink: #e6edf3; --faint: #3a414a; --paper: #0d1117; --shade: #3a3018; --a: #ffa657; --b: #79c0ff; }} }}\n\
         text {{ font: 13px system-ui, sans-serif; fill: var(--ink); }}\n\
         .title {{ font-size: 15px; font-weight: 600; }}\n\
         .grid {{ stroke: var(--faint); stroke-width: 1; }}\n\
         polyline {{ fill: none; stroke-width: 1.8; stroke-linejoin: round; }}\n\
         .line0 {{ stroke: var(--a); }} .line1 {{ stroke: var(--b); }}\n</style>\n\
         <rect width='{WIDTH}' height='{HEIGHT}' fill='var(--paper)'/>\n\
         <text class='title' x='{left}' y='24'>{title}</text>\n",
        title = plot.title
    );
    let (begin, end) = (x(plot.shaded.0), x(plot.shaded.1));
    let _ = writeln!(
        svg,
        "<rect x='{begin:.1}' y='{top}' width='{:.1}' height='{:.1}' fill='var(--shade)'/>",
        end - begin,
        bottom - top
    );
    let _ = writeln!(svg, "<text x='{:.1}' y='{:.1}'>outage</text>", begin + 3.0, top - 5.0);
    for decade in -1..=decades as i32 {
        let value = 10_f64.powi(decade);
        let at = y(value);
        let less = if decade < 0 { "≤ " } else { "" };
        let _ = writeln!(
            svg,
            "<path class='grid' d='M{left} {at:.1}H{right}'/>\
             <text x='{:.1}' y='{:.1}' text-anchor='end'>{less}{value}</text>",
            left - 8.0,
            at + 4.5
        );
    }
    let step = ((plot.to - plot.from) / 12.0).ceil();
    let step = if plot.unit == "hours" { 3.0 } else { step };
    let mut tick = plot.from;
    while tick <= plot.to {
        let at = x(tick);
        let _ = writeln!(
            svg,
            "<path class='grid' d='M{at:.1} {bottom}v5'/>\
             <text x='{at:.1}' y='{:.1}' text-anchor='middle'>{tick}</text>",
            bottom + 19.0
        );
        tick += step;
    }
    let _ = writeln!(
        svg,
        "<text x='{right}' y='{:.1}' text-anchor='end'>{}</text>",
        bottom + 38.0,
        plot.unit
    );
    for (index, line) in plot.lines.iter().enumerate() {
        let (at, name) = (left + 150.0 * index as f64, line.name);
        let width = (plot.to - plot.from) / line.points.len() as f64;
        let points: String = (line.points.iter().enumerate())
            .map(|(nth, value)| {
                format!("{:.1},{:.1} ", x(plot.from + (nth as f64 + 0.5) * width), y(*value))
            })
            .collect();
        let _ = writeln!(
            svg,
            "<polyline class='line{index}' points='{}'/>\n\
             <polyline class='line{index}' points='{at},40 {:.0},40' style='stroke-width:3'/>\
             <text x='{:.0}' y='44.5'>{name}</text>",
            points.trim_end(),
            at + 20.0,
            at + 26.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}
