//! Drawings: lines over steps, stacked bars, and an interval in a table cell. Each has a name for a screen reader; the
//! figures themselves stand in a table beside it.

use std::fmt::{self, Write as _};

use super::escape::Text;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 42.0;

/// How series are told apart, by colour and by dashes.
const CLASSES: [&str; 3] = ["first", "second", "third"];

/// One line.
pub struct Series<'a> {
    /// Its name in the legend.
    pub name: &'a str,
    /// x and y, x ascending.
    pub points: Vec<(f64, f64)>,
}

/// Lines over one axis.
pub struct Lines<'a> {
    /// What the drawing shows.
    pub title: &'a str,
    /// What x is.
    pub x: &'a str,
    /// At most three.
    pub series: Vec<Series<'a>>,
}

/// One bar, stacked of at most two parts.
pub struct Bar {
    /// What it counts.
    pub label: String,
    /// Its parts, from below.
    pub parts: [usize; 2],
}

/// Bars side by side.
pub struct Bars<'a> {
    /// What the drawing shows.
    pub title: &'a str,
    /// What the bars are told apart by.
    pub x: &'a str,
    /// Names of the parts.
    pub parts: [&'a str; 2],
    /// The bars.
    pub bars: Vec<Bar>,
}

/// The plane of a drawing: data to pixels.
struct Plane {
    x: (f64, f64),
    top: f64,
}

impl Plane {
    fn x(&self, value: f64) -> f64 {
        let (from, to) = self.x;
        LEFT + (value - from) / (to - from).max(1e-9) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)
    }

    /// Horizontal rules with their values.
    fn rules(&self, f: &mut fmt::Formatter<'_>, step: f64) -> fmt::Result {
        let count = (self.top / step).round() as u32;
        for rule in 0..=count {
            let value = f64::from(rule) * step;
            let y = self.y(value);
            write!(
                f,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                short(value)
            )?;
        }
        Ok(())
    }
}

/// A round step that divides `most` into four to ten parts, and the multiple of it that is not below `most`.
fn axis(most: f64) -> (f64, f64) {
    if !most.is_finite() || most <= 0.0 {
        return (1.0, 1.0);
    }
    let magnitude = 10_f64.powf((most / 4.0).log10().floor());
    let step = [5.0, 2.0, 1.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| most / step >= 4.0)
        .unwrap_or(magnitude);
    (step, (most / step).ceil() * step)
}

/// A figure on an axis, without digits that say nothing.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn open(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    let title = Text(title);
    write!(
        f,
        "<figure><figcaption>{title}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}; the figures follow as a table\">"
    )
}

fn close(f: &mut fmt::Formatter<'_>, x: &str) -> fmt::Result {
    write!(
        f,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></svg>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 6.0,
        Text(x)
    )
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let last = points().map(|(x, _)| *x).fold(1.0, f64::max);
        let (step, top) = axis(points().map(|(_, y)| *y).fold(0.0, f64::max));
        let plane = Plane {
            x: (1.0, last),
            top,
        };
        open(f, self.title)?;
        plane.rules(f, step)?;
        let (stride, _) = axis(last);
        let stride = stride.max(1.0);
        let mut tick = 1.0;
        while tick <= last {
            write!(
                f,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                plane.x(tick),
                HEIGHT - BOTTOM + 16.0,
                short(tick)
            )?;
            // 1, then the multiples of the stride.
            tick = if tick < stride { stride } else { tick + stride };
        }
        for (series, class) in self.series.iter().zip(CLASSES) {
            let mut path = String::new();
            for (x, y) in &series.points {
                write!(path, "{:.1},{:.1} ", plane.x(*x), plane.y(*y))?;
            }
            write!(
                f,
                "<polyline class=\"line {class}\" points=\"{}\"/>",
                path.trim_end()
            )?;
            for (x, y) in &series.points {
                write!(
                    f,
                    "<circle class=\"dot {class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.2\"><title>{} at {}: {}</title></circle>",
                    plane.x(*x),
                    plane.y(*y),
                    Text(series.name),
                    short(*x),
                    short(*y)
                )?;
            }
        }
        close(f, self.x)?;
        f.write_str("<ul class=\"legend\">")?;
        for (series, class) in self.series.iter().zip(CLASSES) {
            write!(
                f,
                "<li><svg viewBox=\"0 0 32 12\" aria-hidden=\"true\"><polyline class=\"line {class}\" points=\"0,6 32,6\"/></svg>{}</li>",
                Text(series.name)
            )?;
        }
        f.write_str("</ul></figure>\n")
    }
}

impl fmt::Display for Bars<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.bars.iter().map(|bar| bar.parts[0] + bar.parts[1]);
        let (step, top) = axis(most.max().unwrap_or(0) as f64);
        let plane = Plane {
            x: (0.0, self.bars.len().max(1) as f64),
            top,
        };
        open(f, self.title)?;
        plane.rules(f, step)?;
        for (at, bar) in self.bars.iter().enumerate() {
            let (left, right) = (plane.x(at as f64 + 0.08), plane.x(at as f64 + 0.92));
            let mut below = 0;
            for ((part, class), name) in bar.parts.into_iter().zip(CLASSES).zip(self.parts) {
                let (low, high) = (plane.y(below as f64), plane.y((below + part) as f64));
                if part > 0 {
                    write!(
                        f,
                        "<rect class=\"bar {class}\" x=\"{left:.1}\" y=\"{high:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}: {part} {}</title></rect>",
                        right - left,
                        low - high,
                        Text(&bar.label),
                        Text(name)
                    )?;
                }
                below += part;
            }
            write!(
                f,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                f64::midpoint(left, right),
                HEIGHT - BOTTOM + 16.0,
                Text(&bar.label)
            )?;
        }
        close(f, self.x)?;
        f.write_str("<ul class=\"legend\">")?;
        for (name, class) in self.parts.into_iter().zip(CLASSES) {
            write!(
                f,
                "<li><svg viewBox=\"0 0 32 12\" aria-hidden=\"true\"><rect class=\"bar {class}\" width=\"32\" height=\"12\"/></svg>{}</li>",
                Text(name)
            )?;
        }
        f.write_str("</ul></figure>\n")
    }
}

/// A value with its interval on a scale of 0 to 100, for a table cell. The cells beside it hold the figures.
pub fn interval(low: f64, value: f64, high: f64) -> String {
    let x = |value: f64| 2.0 + value.clamp(0.0, 100.0) * 1.4;
    format!(
        "<svg class=\"inline\" viewBox=\"0 0 144 16\" aria-hidden=\"true\"><line class=\"grid\" x1=\"2\" x2=\"142\" y1=\"8\" y2=\"8\"/><line class=\"line first\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"8\" y2=\"8\"/><circle class=\"dot first\" cx=\"{:.1}\" cy=\"8\" r=\"4\"/></svg>",
        x(low),
        x(high),
        x(value)
    )
}

/// A share of 1 as a bar, for a table cell.
pub fn share(part: f64) -> String {
    format!(
        "<svg class=\"inline\" viewBox=\"0 0 144 16\" aria-hidden=\"true\"><rect class=\"bar first\" x=\"0\" y=\"3\" width=\"{:.1}\" height=\"10\"/></svg>",
        part.clamp(0.0, 1.0) * 144.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_round() {
        assert_eq!(axis(50.0), (10.0, 50.0));
        assert_eq!(axis(307.0), (50.0, 350.0));
        assert_eq!(axis(4.0), (1.0, 4.0));
        assert_eq!(axis(0.0), (1.0, 1.0));
        assert_eq!(axis(f64::NAN), (1.0, 1.0));
        let (step, top) = axis(0.034);
        assert_eq!((short(step), short(top)), ("0.005".into(), "0.035".into()));
    }

    #[test]
    fn points_lie_inside_the_drawing() {
        let lines = Lines {
            title: "tokens",
            x: "step",
            series: vec![Series {
                name: "p50",
                points: vec![(1.0, 0.0), (50.0, 307.0)],
            }],
        };
        let svg = lines.to_string();
        let left = format!("{LEFT:.1},{:.1}", HEIGHT - BOTTOM);
        assert!(svg.contains(&left), "{svg}");
        assert!(svg.contains(&format!("{:.1},", WIDTH - RIGHT)), "{svg}");
    }
}
