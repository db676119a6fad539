//! How weights and cached keys and values are stored.

use core::fmt;

use serde::{Deserialize, Serialize};

/// How the weights of a policy are stored; the names are those of GGUF files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(non_camel_case_types)] // the names that GGUF uses everywhere
pub enum Quantization {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Brain floats of 16 bits.
    BF16,
    /// 8 bits in blocks of 32 with a 16-bit scale.
    Q8_0,
    /// 6 bits in super-blocks of 256.
    Q6_K,
    /// 5 bits in blocks of 32 with a 16-bit scale.
    Q5_0,
    /// 5 bits in blocks of 32 with a 16-bit scale and minimum.
    Q5_1,
    /// 5 bits in super-blocks of 256, the medium mix of llama.cpp.
    Q5_K_M,
    /// 4 bits in blocks of 32 with a 16-bit scale.
    Q4_0,
    /// 4 bits in blocks of 32 with a 16-bit scale and minimum.
    Q4_1,
    /// 4 bits in super-blocks of 256, the medium mix of llama.cpp.
    Q4_K_M,
}

impl Quantization {
    /// All of them, from the largest to the smallest.
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8_0,
        Self::Q6_K,
        Self::Q5_1,
        Self::Q5_K_M,
        Self::Q5_0,
        Self::Q4_1,
        Self::Q4_K_M,
        Self::Q4_0,
    ];

    /// The name, as it stands in profiles and GGUF file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q6_K => "Q6_K",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q5_K_M => "Q5_K_M",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q4_K_M => "Q4_K_M",
        }
    }

    /// The quantization with this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|quantization| quantization.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Quantization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the cells of the KV cache are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KvType {
    /// 16-bit floats.
    #[serde(rename = "f16")]
    F16,
    /// 8 bits in blocks of 32 with a 16-bit scale: about half the memory and less time, a little less exact. A policy whose heads
    /// are not a multiple of 32 wide gets 16-bit floats.
    #[default]
    #[serde(rename = "q8_0")]
    Q8_0,
}

impl KvType {
    /// The name, as it stands in profiles.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// Bytes of one row of `width` elements; a begun block of 32 counts whole.
    #[must_use]
    pub const fn row_bytes(self, width: u32) -> u64 {
        match self {
            Self::F16 => 2 * width as u64,
            Self::Q8_0 => 34 * width.div_ceil(32) as u64,
        }
    }
}

impl fmt::Display for KvType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
