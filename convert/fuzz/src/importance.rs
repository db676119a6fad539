//! The reader of importance matrices, in both of their forms.

use stride_convert::importance::ImportanceMatrix;

use super::allocations::within;

/// Bytes held at once, for each byte of the file and beside that.
const READING: (usize, usize) = (64, 16 << 10);

/// Reads `bytes` as a file; what is read was in it, and is a mean of squares.
pub fn run(bytes: &[u8]) {
    let (each, beside) = READING;
    let most = each * bytes.len() + beside;
    let read = || ImportanceMatrix::parse(bytes, "hostile.imatrix");
    let Ok(matrix) = within(most, "reading", read) else {
        return;
    };
    let mut numbers = 0;
    for (name, values) in matrix.iter() {
        assert!(matrix.of(name).is_some_and(|other| other == values));
        assert!(
            values
                .iter()
                .all(|value| value.is_finite() && *value >= 0.0)
        );
        numbers += values.len();
    }
    assert!(numbers * 4 <= bytes.len(), "more numbers than the file has");
}
