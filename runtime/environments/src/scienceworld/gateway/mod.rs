//! Py4J's text protocol over one connection, without Python: commands of one line a part go out, one line an answer
//! comes back. The server reads line by line, so several commands may be under way; their answers come in order.

mod error;
mod lines;
mod value;

use std::time::{Duration, Instant};

pub use error::GatewayError;
use lines::Lines;
use value::{Answer, read_answer};
pub(crate) use value::{Argument, ObjectId, Value};

/// Most entries of a list that are read.
const MAX_LIST: usize = 100_000;
/// Commands under way at a time. Elsewhere than on Linux, answers under way at the same time cost 40 ms (see `lines`).
const UNDER_WAY: usize = if cfg!(target_os = "linux") { 64 } else { 1 };

/// A call of a method.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) arguments: &'a [Argument<'a>],
}

/// The connection. After an error other than an exception it is of no more use: an answer may still be on its way.
#[derive(Debug)]
pub(crate) struct Gateway {
    lines: Lines,
    out: String,
}

impl Gateway {
    pub(crate) fn connect(port: u16) -> Result<Self, GatewayError> {
        Ok(Self {
            lines: Lines::connect(port)?,
            out: String::new(),
        })
    }

    /// Makes an object of a class.
    pub(crate) fn construct(
        &mut self,
        class: &str,
        limit: Duration,
    ) -> Result<ObjectId, GatewayError> {
        let command = format!("i\n{class}\ne\n");
        let answers = self.exchange(&[command], limit)?;
        self.first(answers, limit)?.object()
    }

    /// Calls one method.
    pub(crate) fn call(
        &mut self,
        object: &ObjectId,
        call: Call<'_>,
        limit: Duration,
    ) -> Result<Value, GatewayError> {
        let answers = self.exchange(&[command(object, call)], limit)?;
        self.first(answers, limit)
    }

    /// Calls methods one after the other, in one round trip where that can be had.
    pub(crate) fn call_all<const N: usize>(
        &mut self,
        object: &ObjectId,
        calls: [Call<'_>; N],
        limit: Duration,
    ) -> Result<[Value; N], GatewayError> {
        let answers = self.exchange(&calls.map(|call| command(object, call)), limit)?;
        let values = self.returned(answers, limit)?;
        let found = values.len();
        values.try_into().map_err(|_| GatewayError::LongList {
            length: found,
            limit: N,
        })
    }

    /// Calls a method that returns a list, reads it and releases it.
    pub(crate) fn list(
        &mut self,
        object: &ObjectId,
        method: &str,
        limit: Duration,
    ) -> Result<Vec<Value>, GatewayError> {
        let call = |method| Call {
            method,
            arguments: &[],
        };
        let list = self.call(object, call(method), limit)?.object()?;
        let length: usize = self.call(&list, call("size"), limit)?.integer()?;
        if length > MAX_LIST {
            return Err(GatewayError::LongList {
                length,
                limit: MAX_LIST,
            });
        }
        let commands: Vec<String> = (0..length)
            .map(|index| {
                let arguments = [Argument::Integer(i32::try_from(index).unwrap_or(i32::MAX))];
                let call = Call {
                    method: "get",
                    arguments: &arguments,
                };
                command(&list, call)
            })
            .collect();
        let answers = self.exchange(&commands, limit)?;
        let entries = self.returned(answers, limit)?;
        self.release(&list, limit)?;
        Ok(entries)
    }

    /// Lets the JVM forget an object.
    fn release(&mut self, object: &ObjectId, limit: Duration) -> Result<(), GatewayError> {
        self.exchange(&[format!("m\nd\n{}\ne\n", object.0)], limit)
            .map(drop)
    }

    fn first(&mut self, answers: Vec<Answer>, limit: Duration) -> Result<Value, GatewayError> {
        let mut values = self.returned(answers, limit)?;
        values.pop().ok_or(GatewayError::Closed)
    }

    /// The values when nothing threw; else the first exception's text, all exceptions being released.
    fn returned(
        &mut self,
        answers: Vec<Answer>,
        limit: Duration,
    ) -> Result<Vec<Value>, GatewayError> {
        let mut values = Vec::with_capacity(answers.len());
        let mut thrown = None;
        for answer in answers {
            match answer {
                Answer::Returned(value) => values.push(value),
                Answer::Threw(what) => {
                    let message = self.message(what, limit)?;
                    thrown.get_or_insert(message);
                }
            }
        }
        match thrown {
            Some(message) => Err(GatewayError::Threw { message }),
            None => Ok(values),
        }
    }

    fn message(&mut self, thrown: Value, limit: Duration) -> Result<String, GatewayError> {
        let whole = match thrown {
            Value::Text(text) => text,
            Value::Object(exception) => {
                let to_string = Call {
                    method: "toString",
                    arguments: &[],
                };
                let mut answers = self.exchange(&[command(&exception, to_string)], limit)?;
                self.release(&exception, limit)?;
                match answers.pop() {
                    Some(Answer::Returned(Value::Text(text))) => text,
                    _ => "without a text".to_owned(),
                }
            }
            other => other.kind().to_owned(),
        };
        Ok(whole.chars().take(400).collect())
    }

    fn exchange(
        &mut self,
        commands: &[String],
        limit: Duration,
    ) -> Result<Vec<Answer>, GatewayError> {
        let begin = Instant::now();
        let mut answers = Vec::with_capacity(commands.len());
        for together in commands.chunks(UNDER_WAY) {
            self.out.clear();
            self.out.extend(together.iter().map(String::as_str));
            self.lines.send(&self.out, limit)?;
            for _ in together {
                answers.push(read_answer(&self.lines.receive(begin, limit)?)?);
            }
        }
        Ok(answers)
    }
}

fn command(object: &ObjectId, call: Call<'_>) -> String {
    let mut out = format!("c\n{}\n{}\n", object.0, call.method);
    for argument in call.arguments {
        argument.write(&mut out);
    }
    out.push_str("e\n");
    out
}
