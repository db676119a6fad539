//! The form before it: a count of entries, and for each its name, how often it was measured, and its sums; then how many
//! chunks there were, and of which text. Numbers are 32 bits wide, little-endian; nothing says what the file is.

use super::{ImportanceError, ImportanceMatrix};

/// Bytes of the name of a matrix or of a text, at most.
const MOST_NAME: u32 = 4096;

pub(super) fn read(bytes: &[u8], matrix: &mut ImportanceMatrix) -> Result<(), ImportanceError> {
    let mut rest = Rest { bytes, at: 0 };
    let entries = rest.count("a count of entries")?;
    for _ in 0..entries {
        let len = rest.count("the length of a name")?;
        let name = rest.text(len, "the name of a matrix")?;
        let calls = rest.number("a count of measurements")?;
        let columns = rest.count("a count of columns")?;
        let (words, _) = rest.take(u64::from(columns) * 4, "the sums")?.as_chunks();
        let sums: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
        // A matrix that was never measured holds means already.
        let count = if calls > 0 { calls as f32 } else { 1.0 };
        matrix.add(&name, sums, &[count])?;
    }
    // The oldest files end here.
    if rest.at < bytes.len() {
        matrix.chunks = rest.number("a count of chunks")?.max(0).cast_unsigned();
    }
    if rest.at < bytes.len() {
        let len = u32::try_from(rest.number("the length of a name")?).unwrap_or(0);
        matrix.dataset = (len > 0)
            .then(|| rest.text(len, "the name of a text"))
            .transpose()?;
    }
    Ok(())
}

/// What is still to be read.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn refuse(&self, problem: String) -> ImportanceError {
        let offset = self.at;
        ImportanceError::Form { offset, problem }
    }

    /// Nothing is allocated before the bytes are known to be there.
    fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8], ImportanceError> {
        let left = &self.bytes[self.at..];
        let taken = usize::try_from(count)
            .ok()
            .and_then(|count| left.get(..count));
        let Some(taken) = taken else {
            let problem = format!("{what} needs {count} bytes, but {} remain", left.len());
            return Err(self.refuse(problem));
        };
        self.at += taken.len();
        Ok(taken)
    }

    fn number(&mut self, what: &str) -> Result<i32, ImportanceError> {
        let mut word = [0; 4];
        word.copy_from_slice(self.take(4, what)?);
        Ok(i32::from_le_bytes(word))
    }

    /// A number above zero.
    fn count(&mut self, what: &str) -> Result<u32, ImportanceError> {
        let number = self.number(what)?;
        match u32::try_from(number) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(self.refuse(format!("{what} is {number}"))),
        }
    }

    fn text(&mut self, len: u32, what: &str) -> Result<String, ImportanceError> {
        if len > MOST_NAME {
            return Err(self.refuse(format!(
                "{what} has {len} bytes, and {MOST_NAME} are allowed"
            )));
        }
        let bytes = self.take(u64::from(len), what)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.refuse(format!("{what} is not UTF-8"))),
        }
    }
}
