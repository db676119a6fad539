//! One event as a protocol buffer: the few fields of `tensorflow.Event` that curves need.
//!
//! | message | field | number, type |
//! |---|---|---|
//! | `Event` | `wall_time`, `step`, `file_version`, `summary` | 1 double, 2 int64, 3 string, 5 message |
//! | `Summary` | `value` | 1 message, repeated |
//! | `Value` | `tag`, `simple_value` | 1 string, 2 float |

/// The version that every event file begins with.
const VERSION: &str = "brain.Event:2";

/// Kinds of fields on the wire.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const BYTES: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// One event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// Seconds since 1970.
    pub time: f64,
    /// Optimizer steps done.
    pub step: u64,
    /// The file's version, in its first event.
    pub version: Option<String>,
    /// Numbers by name.
    pub scalars: Vec<(String, f64)>,
}

impl Event {
    /// The first event of a file.
    #[must_use]
    pub fn version(time: f64) -> Self {
        Self {
            time,
            version: Some(VERSION.to_owned()),
            ..Self::default()
        }
    }

    /// Numbers of one step.
    #[must_use]
    pub const fn scalars(time: f64, step: u64, scalars: Vec<(String, f64)>) -> Self {
        Self {
            time,
            step,
            version: None,
            scalars,
        }
    }

    /// The event as bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut event = Vec::new();
        key(&mut event, 1, EIGHT_BYTES);
        event.extend_from_slice(&self.time.to_le_bytes());
        key(&mut event, 2, VARINT);
        varint(&mut event, self.step);
        if let Some(version) = &self.version {
            bytes(&mut event, 3, version.as_bytes());
        }
        if !self.scalars.is_empty() {
            let mut summary = Vec::new();
            for (name, number) in &self.scalars {
                let mut value = Vec::new();
                bytes(&mut value, 1, name.as_bytes());
                key(&mut value, 2, FOUR_BYTES);
                // The format knows single precision only.
                value.extend_from_slice(&(*number as f32).to_le_bytes());
                bytes(&mut summary, 1, &value);
            }
            bytes(&mut event, 5, &summary);
        }
        event
    }

    /// Reads what [`Self::write`] wrote; fields of other writers are passed over.
    #[must_use]
    pub fn read(mut from: &[u8]) -> Option<Self> {
        let mut event = Self::default();
        while let Some((number, field)) = Field::next(&mut from)? {
            match (number, field) {
                (1, Field::Eight(time)) => event.time = f64::from_le_bytes(time),
                (2, Field::Varint(step)) => event.step = step,
                (3, Field::Bytes(text)) => {
                    event.version = Some(String::from_utf8(text.to_vec()).ok()?)
                }
                (5, Field::Bytes(mut summary)) => {
                    while let Some((number, field)) = Field::next(&mut summary)? {
                        if let (1, Field::Bytes(value)) = (number, field) {
                            event.scalars.extend(scalar(value)?);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(event)
    }
}

/// Name and number of a value; `None` inside for one of another kind.
fn scalar(mut from: &[u8]) -> Option<Option<(String, f64)>> {
    let (mut name, mut number) = (String::new(), None);
    while let Some((field_number, field)) = Field::next(&mut from)? {
        match (field_number, field) {
            (1, Field::Bytes(text)) => name = String::from_utf8(text.to_vec()).ok()?,
            (2, Field::Four(value)) => number = Some(f64::from(f32::from_le_bytes(value))),
            _ => {}
        }
    }
    Some(number.map(|number| (name, number)))
}

/// A field's content.
enum Field<'a> {
    Varint(u64),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
    Four([u8; 4]),
}

impl<'a> Field<'a> {
    /// The next field with its number; the inner `None` at the end, the outer one when the bytes are damaged.
    fn next(from: &mut &'a [u8]) -> Option<Option<(u64, Self)>> {
        if from.is_empty() {
            return Some(None);
        }
        let key = read_varint(from)?;
        let field = match key & 7 {
            VARINT => Self::Varint(read_varint(from)?),
            EIGHT_BYTES => {
                let (value, rest) = from.split_first_chunk()?;
                *from = rest;
                Self::Eight(*value)
            }
            BYTES => {
                let length = usize::try_from(read_varint(from)?).ok()?;
                let (value, rest) = from.split_at_checked(length)?;
                *from = rest;
                Self::Bytes(value)
            }
            FOUR_BYTES => {
                let (value, rest) = from.split_first_chunk()?;
                *from = rest;
                Self::Four(*value)
            }
            _ => return None,
        };
        Some(Some((key >> 3, field)))
    }
}

fn key(out: &mut Vec<u8>, number: u64, kind: u64) {
    varint(out, (number << 3) | kind);
}

fn bytes(out: &mut Vec<u8>, number: u64, content: &[u8]) {
    key(out, number, BYTES);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_back() {
        for event in [
            Event::version(1.5),
            Event::scalars(
                2.5,
                1 << 40,
                vec![("train/loss".into(), 0.125), ("ä".into(), -3.0)],
            ),
        ] {
            assert_eq!(Event::read(&event.write()), Some(event));
        }
    }

    #[test]
    fn bytes_are_those_of_the_protocol() {
        let event = Event::scalars(0.0, 300, vec![("a".into(), 1.0)]);
        let expected = b"\x09\0\0\0\0\0\0\0\0\x10\xac\x02\x2a\x0a\x0a\x08\x0a\x01a\x15\0\0\x80\x3f";
        assert_eq!(event.write(), expected);
    }

    #[test]
    fn damaged_events_are_refused() {
        let whole = Event::scalars(1.0, 7, vec![("loss".into(), 1.0)]).write();
        // Cut between two fields it is a shorter event; anywhere else it is none.
        let readable = (0..whole.len()).filter(|at| Event::read(&whole[..*at]).is_some());
        assert_eq!(readable.collect::<Vec<_>>(), [0, 9, 11]);
        assert_eq!(Event::read(&[0xFF; 30]), None);
    }
}
