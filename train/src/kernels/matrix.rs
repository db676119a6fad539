//! Matrix views over slices and their product, by the `gemm` crate on the calling thread.

use gemm::Parallelism;

/// A read-only matrix inside a slice.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    shape: Shape,
}

/// A writable matrix inside a slice; its rows do not overlap.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl Shape {
    /// Rows of `cols` adjacent elements, `row_stride` apart, checked to lie inside `len` elements.
    fn checked(len: usize, rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(
            rows == 0 || cols == 0 || (cols <= row_stride && (rows - 1) * row_stride + cols <= len),
            "a {rows} x {cols} matrix with rows {row_stride} apart does not fit {len} elements"
        );
        Self {
            rows,
            cols,
            row_stride,
            col_stride: 1,
        }
    }
}

impl<'a> Matrix<'a> {
    /// A matrix of `rows` x `cols` elements whose rows follow each other.
    ///
    /// # Panics
    /// When it does not fit the slice.
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// A matrix whose rows start `row_stride` elements apart.
    ///
    /// # Panics
    /// When it does not fit the slice or its rows overlap.
    #[must_use]
    pub fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        let shape = Shape::checked(data.len(), rows, cols, row_stride);
        Self { data, shape }
    }

    /// The transposed matrix.
    #[must_use]
    pub const fn t(self) -> Self {
        let Shape {
            rows,
            cols,
            row_stride,
            col_stride,
        } = self.shape;
        Self {
            data: self.data,
            shape: Shape {
                rows: cols,
                cols: rows,
                row_stride: col_stride,
                col_stride: row_stride,
            },
        }
    }
}

impl<'a> MatrixMut<'a> {
    /// A matrix of `rows` x `cols` elements whose rows follow each other.
    ///
    /// # Panics
    /// When it does not fit the slice.
    #[must_use]
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// A matrix whose rows start `row_stride` elements apart.
    ///
    /// # Panics
    /// When it does not fit the slice or its rows overlap.
    #[must_use]
    pub fn strided(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        let shape = Shape::checked(data.len(), rows, cols, row_stride);
        Self { data, shape }
    }
}

/// `out = factor · left · right`.
///
/// # Panics
/// When the shapes do not fit each other.
pub fn product(out: MatrixMut<'_>, factor: f32, left: Matrix<'_>, right: Matrix<'_>) {
    multiply(out, false, factor, left, right);
}

/// `out += factor · left · right`.
///
/// # Panics
/// When the shapes do not fit each other.
pub fn add_product(out: MatrixMut<'_>, factor: f32, left: Matrix<'_>, right: Matrix<'_>) {
    multiply(out, true, factor, left, right);
}

fn multiply(
    out: MatrixMut<'_>,
    accumulate: bool,
    factor: f32,
    left: Matrix<'_>,
    right: Matrix<'_>,
) {
    let (l, r, o) = (left.shape, right.shape, out.shape);
    assert!(
        l.cols == r.rows && o.rows == l.rows && o.cols == r.cols,
        "({} x {}) · ({} x {}) does not give {} x {}",
        l.rows,
        l.cols,
        r.rows,
        r.cols,
        o.rows,
        o.cols
    );
    let stride = |s: usize| isize::try_from(s).expect("a stride lies inside a slice");
    // SAFETY: every view was checked on construction to lie inside its slice (transposing keeps the set of elements),
    // the shapes agree, `out` is borrowed mutably and so overlaps neither operand, and its rows do not overlap.
    unsafe {
        gemm::gemm(
            o.rows,
            o.cols,
            l.cols,
            out.data.as_mut_ptr(),
            stride(o.col_stride),
            stride(o.row_stride),
            accumulate,
            left.data.as_ptr(),
            stride(l.col_stride),
            stride(l.row_stride),
            right.data.as_ptr(),
            stride(r.col_stride),
            stride(r.row_stride),
            1.0_f32,
            factor,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_views_equal_the_definition() {
        let left: Vec<f32> = (0..20).map(|i| i as f32).collect();
        let right: Vec<f32> = (0..12).map(|i| (i * i) as f32).collect();
        // left: 3 x 2 inside rows of 5; right: the transpose of 4 x 2 inside rows of 3.
        let mut out = vec![1.0; 12];
        add_product(
            MatrixMut::new(&mut out, 3, 4),
            2.0,
            Matrix::strided(&left[1..], 3, 2, 5),
            Matrix::strided(&right, 4, 2, 3).t(),
        );
        for row in 0..3 {
            for col in 0..4 {
                let sum: f32 = (0..2)
                    .map(|k| left[1 + row * 5 + k] * right[col * 3 + k])
                    .sum();
                assert_eq!(out[row * 4 + col], 1.0 + 2.0 * sum);
            }
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_view_outside_its_slice_is_refused() {
        let _ = Matrix::strided(&[0.0; 9], 2, 3, 7);
    }
}
