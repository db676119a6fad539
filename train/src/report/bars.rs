//! Counts by class side by side: histograms.

use std::fmt;

use super::page::Escaped;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 26.0;
const TOP: f64 = 10.0;

/// A drawing of counts.
#[derive(Debug, Clone, Default)]
pub struct Bars {
    /// A label and a count for every class, in order.
    pub bars: Vec<(String, u64)>,
    /// A colour of CSS.
    pub colour: &'static str,
}

impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self
            .bars
            .iter()
            .map(|(_, count)| *count)
            .max()
            .unwrap_or(0)
            .max(1);
        let width = (WIDTH - LEFT) / self.bars.len().max(1) as f64;
        write!(
            f,
            "<figure style=\"margin:0\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">"
        )?;
        write!(
            f,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{most}</text><line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
            LEFT - 6.0,
            TOP + 4.0,
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM
        )?;
        for (index, (label, count)) in self.bars.iter().enumerate() {
            let height = *count as f64 / most as f64 * (HEIGHT - TOP - BOTTOM);
            let left = LEFT + width * index as f64;
            let label = Escaped(label);
            write!(
                f,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{}\"><title>{label}: {count}</title></rect>",
                left + 1.0,
                HEIGHT - BOTTOM - height,
                (width - 2.0).max(1.0),
                self.colour
            )?;
            write!(
                f,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                left + width / 2.0,
                HEIGHT - 8.0
            )?;
        }
        f.write_str("</svg></figure>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_counts() {
        let bars = Bars {
            bars: vec![("-1".into(), 2), ("0".into(), 8), ("<1".into(), 0)],
            colour: "#000",
        };
        let svg = bars.to_string();
        let full = HEIGHT - TOP - BOTTOM;
        for height in [full, full / 4.0, 0.0] {
            assert!(
                svg.contains(&format!("height=\"{height:.1}\" fill")),
                "{svg}"
            );
        }
        assert!(svg.contains("&lt;1: 0"));
        assert!(Bars::default().to_string().contains("</svg>"));
    }
}
