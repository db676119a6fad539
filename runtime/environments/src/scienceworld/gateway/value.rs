//! Values as Py4J writes them: one letter for the type, then the text, on one line.

use super::error::GatewayError;

/// What is given to a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument<'a> {
    Text(&'a str),
    Integer(i32),
    Boolean(bool),
}

impl Argument<'_> {
    /// Writes it as one line.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => {
                out.push('s');
                escape(text, out);
            }
            Self::Integer(number) => {
                out.push('i');
                out.push_str(&number.to_string());
            }
            Self::Boolean(value) => out.push_str(if *value { "btrue" } else { "bfalse" }),
        }
        out.push('\n');
    }
}

/// The name of an object that lives in the JVM until it is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectId(pub(super) String);

/// What a method returned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing, or null.
    Nothing,
    Text(String),
    Integer(i64),
    Double(f64),
    Boolean(bool),
    /// A list or another object.
    Object(ObjectId),
}

impl Value {
    /// What it is, for error messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Double(_) => "a number",
            Self::Boolean(_) => "a truth value",
            Self::Object(_) => "an object",
        }
    }

    /// The text.
    pub(crate) fn text(self) -> Result<String, GatewayError> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(other.is_no("a text")),
        }
    }

    /// The number.
    pub(crate) fn double(self) -> Result<f64, GatewayError> {
        match self {
            Self::Double(number) => Ok(number),
            other => Err(other.is_no("a number")),
        }
    }

    /// The integer, when it is one of the range of `T`.
    pub(crate) fn integer<T: TryFrom<i64>>(self) -> Result<T, GatewayError> {
        match self {
            Self::Integer(number) => T::try_from(number).map_err(|_| GatewayError::Garbage {
                line: number.to_string(),
            }),
            other => Err(other.is_no("an integer")),
        }
    }

    /// The truth value.
    pub(crate) fn boolean(self) -> Result<bool, GatewayError> {
        match self {
            Self::Boolean(value) => Ok(value),
            other => Err(other.is_no("a truth value")),
        }
    }

    /// The object.
    pub(super) fn object(self) -> Result<ObjectId, GatewayError> {
        match self {
            Self::Object(id) => Ok(id),
            other => Err(other.is_no("an object")),
        }
    }

    fn is_no(&self, expected: &'static str) -> GatewayError {
        GatewayError::Type {
            expected,
            found: self.kind(),
        }
    }
}

/// The two ways in which a call ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Returned(Value),
    /// Java threw: the message, or the exception itself as an object.
    Threw(Value),
}

/// Reads an answer: `!y` or `!x`, then a value.
pub(super) fn read_answer(line: &str) -> Result<Answer, GatewayError> {
    let garbage = || GatewayError::Garbage {
        line: line.chars().take(200).collect(),
    };
    if let Some(value) = line.strip_prefix("!y") {
        read_value(value).map(Answer::Returned).ok_or_else(garbage)
    } else if let Some(value) = line.strip_prefix("!x").or_else(|| line.strip_prefix("!z")) {
        read_value(value).map(Answer::Threw).ok_or_else(garbage)
    } else {
        Err(garbage())
    }
}

fn read_value(text: &str) -> Option<Value> {
    let mut rest = text.chars();
    let kind = rest.next();
    let rest = rest.as_str();
    match kind {
        None | Some('n' | 'v') => rest.is_empty().then_some(Value::Nothing),
        Some('s') => Some(Value::Text(unescape(rest))),
        Some('i' | 'L') => rest.parse().ok().map(Value::Integer),
        Some('d') => rest.parse().ok().map(Value::Double),
        Some('b') => rest.parse().ok().map(Value::Boolean),
        // Objects, lists, arrays, sets, maps, iterators.
        Some('r' | 'l' | 't' | 'h' | 'a' | 'g') => {
            // It is sent back as a line, and Java names objects `o` and a number.
            let is_name = !rest.is_empty()
                && rest.len() <= 32
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_name.then(|| Value::Object(ObjectId(rest.to_owned())))
        }
        Some(_) => None,
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find('\\') {
        out.push_str(&rest[..position]);
        let mut after = rest[position + 1..].chars();
        match after.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('\\') => out.push('\\'),
            // Py4J never writes this; keep what stands there.
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_come_back(text in "(\\PC|[\\\\nr\n\r\t])*") {
            let mut line = String::from("!y");
            Argument::Text(&text).write(&mut line);
            prop_assert_eq!(line.matches(['\n', '\r']).count(), 1);
            let answer = read_answer(line.trim_end_matches('\n')).unwrap();
            prop_assert_eq!(answer, Answer::Returned(Value::Text(text)));
        }

        #[test]
        fn any_line_is_read_or_refused(line in "!?[yxz]?\\PC*") {
            let _ = read_answer(&line);
        }

        #[test]
        fn integers_come_back(number: i32) {
            let mut line = String::from("!y");
            Argument::Integer(number).write(&mut line);
            let answer = read_answer(line.trim_end()).unwrap();
            prop_assert_eq!(answer, Answer::Returned(Value::Integer(number.into())));
        }
    }

    #[test]
    fn answers_of_the_real_server() {
        let read = |line| read_answer(line).unwrap();
        let object = |name: &str| Value::Object(ObjectId(name.to_owned()));
        assert_eq!(read("!yro0"), Answer::Returned(object("o0")));
        assert_eq!(read("!ylo1"), Answer::Returned(object("o1")));
        assert_eq!(read("!yd-1.0"), Answer::Returned(Value::Double(-1.0)));
        assert_eq!(read("!ybfalse"), Answer::Returned(Value::Boolean(false)));
        assert_eq!(read("!yv"), Answer::Returned(Value::Nothing));
        assert_eq!(read("!xro7"), Answer::Threw(object("o7")));
        assert_eq!(
            read("!xsE\\n\\tat x"),
            Answer::Threw(Value::Text("E\n\\tat x".to_owned()))
        );
        for line in [
            "", "y", "!", "!q", "!yi1.5", "!yi", "!ybmaybe", "!yq", "!yr", "!yro0 e", "!yvx",
        ] {
            assert!(read_answer(line).is_err(), "{line}");
        }
    }

    #[test]
    fn types_are_checked() {
        assert_eq!(Value::Integer(7).integer::<u32>().unwrap(), 7);
        assert!(Value::Integer(-7).integer::<u32>().is_err());
        assert!(Value::Integer(7).text().is_err());
        assert!(Value::Text("true".to_owned()).boolean().is_err());
    }
}
