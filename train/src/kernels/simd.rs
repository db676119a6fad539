//! Run-time choice of vector instructions, and the few primitives that the compiler does not vectorize by itself.

/// Lanes of a reduction: enough independent sums to fill the widest registers. The order of summation is fixed, so
/// a result depends on the data alone.
const LANES: usize = 16;

/// Declares functions compiled twice: for AVX2 with fused multiply-add, taken when the CPU has it, and for the baseline
/// of the target (which on aarch64 has vectors and fused multiply-add anyway).
///
/// What the body calls must be `#[inline(always)]`, or it is compiled for the baseline only.
macro_rules! vectorized {
    ($(
        $(#[$meta:meta])*
        $visibility:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        $visibility fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body($($arg: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $type),*) $(-> $result)? {
                    body($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma")
                {
                    // SAFETY: the CPU has the features that `wide` is compiled for.
                    return unsafe { wide($($arg),*) };
                }
            }
            body($($arg),*)
        }
    )*};
}
pub(crate) use vectorized;

/// e^x with a relative error below 2e-7 on [-87, 88]; arguments outside are clamped to it.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, so that `x - n ln 2` is exact enough.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_HIGH, x);
    let r = n.mul_add(-LN2_LOW, r);
    let p = 1.987_569_1e-4_f32;
    let p = p.mul_add(r, 1.398_2e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r + 1.0);
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()) << 23;
    f32::from_bits(p.to_bits().wrapping_add(power))
}

/// Σ aᵢ bᵢ.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_blocks
        .remainder()
        .iter()
        .zip(b_blocks.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] = x[lane].mul_add(y[lane], sums[lane]);
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// Σ aᵢ bᵢ cᵢ.
#[inline(always)]
pub fn dot3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let len = a.len().min(b.len()).min(c.len());
    let whole = len - len % LANES;
    for start in (0..whole).step_by(LANES) {
        let range = start..start + LANES;
        let (x, y, z) = (&a[range.clone()], &b[range.clone()], &c[range]);
        for lane in 0..LANES {
            sums[lane] = (x[lane] * y[lane]).mul_add(z[lane], sums[lane]);
        }
    }
    let tail: f32 = (whole..len).map(|i| a[i] * b[i] * c[i]).sum();
    sums.iter().sum::<f32>() + tail
}

/// The largest element, or −∞ of an empty slice.
#[inline(always)]
pub fn max(values: &[f32]) -> f32 {
    let mut best = [f32::NEG_INFINITY; LANES];
    let blocks = values.chunks_exact(LANES);
    let tail = blocks.remainder();
    for block in blocks {
        for lane in 0..LANES {
            best[lane] = if block[lane] > best[lane] {
                block[lane]
            } else {
                best[lane]
            };
        }
    }
    best.iter()
        .chain(tail)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max)
}

/// Replaces every xᵢ by exp(xᵢ − shift) and returns their sum.
#[inline(always)]
pub fn exp_and_sum(values: &mut [f32], shift: f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let mut blocks = values.chunks_exact_mut(LANES);
    for block in &mut blocks {
        for lane in 0..LANES {
            block[lane] = exp(block[lane] - shift);
            sums[lane] += block[lane];
        }
    }
    let mut sum = sums.iter().sum::<f32>();
    for value in blocks.into_remainder() {
        *value = exp(*value - shift);
        sum += *value;
    }
    sum
}

/// xᵢ *= factor.
#[inline(always)]
pub fn scale(values: &mut [f32], factor: f32) {
    for value in values {
        *value *= factor;
    }
}

vectorized! {
    /// Adds `other` to `into`, element by element.
    pub fn add(into: &mut [f32], other: &[f32]) {
        for (a, b) in into.iter_mut().zip(other) {
            *a += b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate() {
        for step in -8_700..=8_800 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            let relative = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(relative < 2e-7, "exp({x}): {relative}");
        }
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
    }

    #[test]
    fn reductions_handle_every_length() {
        for length in 0..50_usize {
            let values: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin()).collect();
            let exact: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
            assert!((f64::from(dot(&values, &values)) - exact).abs() < 1e-5);
            let cubes: f64 = values.iter().map(|v| f64::from(*v).powi(3)).sum();
            assert!((f64::from(dot3(&values, &values, &values)) - cubes).abs() < 1e-5);
            let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(max(&values), largest);
        }
    }
}
