//! Numbers over steps as a drawing.

use std::fmt;

use super::page::Escaped;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// How heights are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Powers of ten, as losses need.
    Logarithmic,
    /// 0 to 100.
    Percent,
    /// From 0 to the largest.
    Linear,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// A colour of CSS.
    pub colour: &'static str,
    /// Whether it is dashed.
    pub dashed: bool,
    /// Steps and values; what is not finite is left out.
    pub points: Vec<(f64, f64)>,
}

/// A drawing of lines over steps. Lines without points are left out.
#[derive(Debug, Clone)]
pub struct Lines {
    /// How heights are read.
    pub scale: Scale,
    /// The lines.
    pub series: Vec<Series>,
}

impl Lines {
    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.points.is_empty())
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        let all = self.series.iter().flat_map(|series| &series.points);
        all.copied().filter(|(_, value)| value.is_finite())
    }

    /// A value as a height on the scale.
    fn height(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Logarithmic => value.max(1e-6).log10(),
            Scale::Percent | Scale::Linear => value,
        }
    }

    /// Lowest and highest height, and the distance of rules.
    fn range(&self) -> (f64, f64, f64) {
        match self.scale {
            Scale::Logarithmic => {
                let (low, high) =
                    self.points()
                        .fold((0.0, 0.0), |(low, high): (f64, f64), (_, y)| {
                            let height = self.height(y);
                            (low.min(height.floor()), high.max(height.ceil()))
                        });
                (low, high.max(low + 1.0), 1.0)
            }
            Scale::Percent => (0.0, 100.0, 20.0),
            Scale::Linear => {
                let most = self.points().map(|(_, y)| y).fold(0.0, f64::max);
                let step = round_step(most);
                (0.0, (most / step).ceil().max(1.0) * step, step)
            }
        }
    }
}

/// A round number (1, 2 or 5 times a power of ten) that fits into `most` about four times.
fn round_step(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let magnitude = 10_f64.powf((most / 4.0).log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|factor| factor * magnitude);
    steps
        .into_iter()
        .find(|step| most / step >= 4.0)
        .unwrap_or(magnitude)
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high, distance) = self.range();
        let last = self.points().map(|(step, _)| step).fold(1.0, f64::max);
        let x = |step: f64| LEFT + step / last * (WIDTH - LEFT - RIGHT);
        let y =
            |height: f64| HEIGHT - BOTTOM - (height - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
        write!(
            f,
            "<figure style=\"margin:0\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">"
        )?;
        for rule in 0..=((high - low) / distance).round() as u32 {
            let height = low + f64::from(rule) * distance;
            let value = match self.scale {
                Scale::Logarithmic => 10_f64.powf(height),
                Scale::Percent | Scale::Linear => height,
            };
            let at = y(height);
            write!(
                f,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                Short(value)
            )?;
        }
        for tick in 0..=4 {
            let step = last * f64::from(tick) / 4.0;
            let anchor = if tick == 4 { "end" } else { "middle" };
            write!(
                f,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{step:.0}</text>",
                x(step),
                HEIGHT - 8.0
            )?;
        }
        let shown = || {
            self.series
                .iter()
                .filter(|series| !series.points.is_empty())
        };
        for series in shown() {
            let dash = if series.dashed { "6 4" } else { "none" };
            write!(
                f,
                "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" stroke-dasharray=\"{dash}\" points=\"",
                series.colour
            )?;
            for (step, value) in series.points.iter().filter(|(_, value)| value.is_finite()) {
                write!(f, "{:.1},{:.1} ", x(*step), y(self.height(*value)))?;
            }
            f.write_str("\"/>")?;
        }
        f.write_str("</svg><figcaption>")?;
        for series in shown() {
            let style = if series.dashed { "dashed" } else { "solid" };
            write!(
                f,
                "<span class=\"key\"><i style=\"border-color:{};border-top-style:{style}\"></i>{}</span>",
                series.colour,
                Escaped(&series.name)
            )?;
        }
        f.write_str("</figcaption></figure>")
    }
}

/// A number on an axis, without digits that say nothing.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.6}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(scale: Scale, points: &[(f64, f64)]) -> Lines {
        Lines {
            scale,
            series: vec![Series {
                name: "loss <a>".into(),
                colour: "#000",
                dashed: true,
                points: points.to_vec(),
            }],
        }
    }

    #[test]
    fn every_scale_draws_its_points_inside_the_frame() {
        for (scale, points) in [
            (
                Scale::Logarithmic,
                [(0.0, 3.0), (10.0, 0.02), (20.0, f64::NAN)],
            ),
            (Scale::Percent, [(0.0, 0.0), (10.0, 50.0), (20.0, 100.0)]),
            (Scale::Linear, [(0.0, 8123.0), (10.0, 7000.0), (20.0, 0.0)]),
        ] {
            let svg = lines(scale, &points).to_string();
            assert!(
                svg.contains("loss &lt;a&gt;") && !svg.contains("NaN"),
                "{svg}"
            );
            let drawn = svg
                .split("points=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            for pair in drawn.split_whitespace() {
                let (x, y) = pair.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((LEFT..=WIDTH - RIGHT + 0.1).contains(&x), "{svg}");
                assert!((TOP - 0.1..=HEIGHT - BOTTOM + 0.1).contains(&y), "{svg}");
            }
        }
    }

    #[test]
    fn nothing_is_still_a_drawing() {
        let empty = lines(Scale::Linear, &[]);
        assert!(empty.is_empty());
        assert!(empty.to_string().contains("</svg>"));
    }
}
