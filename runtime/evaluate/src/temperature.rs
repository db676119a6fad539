//! Sampling temperatures as a command line writes them: `0.7`, or `high=0,low=0.7,progress=0.3`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use stride_engine::PerLevel;

/// A temperature for each level; 0 is greedy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperatures(pub PerLevel<f32>);

impl Temperatures {
    /// The likeliest token at every level.
    pub const GREEDY: Self = Self(PerLevel::all(0.0));

    /// Whether nothing is drawn.
    #[must_use]
    pub fn is_greedy(&self) -> bool {
        *self == Self::GREEDY
    }

    /// The one temperature of all levels, if there is one.
    fn common(&self) -> Option<f32> {
        let PerLevel {
            high,
            low,
            progress,
        } = self.0;
        (high == low && low == progress).then_some(high)
    }
}

impl FromStr for Temperatures {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('=') {
            return number(text).map(|all| Self(PerLevel::all(all)));
        }
        let mut temperatures = PerLevel::all(0.0);
        for part in text.split(',') {
            let (level, value) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}`: LEVEL=TEMPERATURE is expected"))?;
            let slot = match level {
                "high" => &mut temperatures.high,
                "low" => &mut temperatures.low,
                "progress" => &mut temperatures.progress,
                _ => return Err(format!("`{level}`: the levels are high, low and progress")),
            };
            *slot = number(value)?;
        }
        Ok(Self(temperatures))
    }
}

fn number(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(t) if t.is_finite() && t >= 0.0 => Ok(t),
        _ => Err(format!("`{text}`: a number from 0 is expected")),
    }
}

impl fmt::Display for Temperatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(all) = self.common() {
            return write!(f, "{all}");
        }
        let PerLevel {
            high,
            low,
            progress,
        } = self.0;
        write!(f, "high={high},low={low},progress={progress}")
    }
}

impl Serialize for Temperatures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A number where one number says it, as reports always had it.
        match self.common() {
            Some(all) => serializer.serialize_f32(all),
            None => serializer.collect_str(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_or_one_a_level() {
        let parsed = |text: &str| text.parse::<Temperatures>();
        assert_eq!(parsed("0.7").unwrap().to_string(), "0.7");
        assert!(parsed("0").unwrap().is_greedy());
        let low = parsed("low=0.7").unwrap();
        assert_eq!(
            low.0.get(stride_firmware_config::level::PolicyLevel::Low),
            0.7
        );
        assert_eq!(low.to_string(), "high=0,low=0.7,progress=0");
        assert_eq!(parsed(&low.to_string()).unwrap(), low);
        assert_eq!(
            serde_json::to_string(&low).unwrap(),
            "\"high=0,low=0.7,progress=0\""
        );
        for wrong in ["", "-1", "nan", "low=x", "deep=1", "low=1,0.5"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
