//! The range checks that the sections of a profile share.

use super::ProfileError;

/// One number of a profile on its way through validation.
#[derive(Clone, Copy)]
pub(super) struct Field {
    path: &'static str,
    value: u64,
}

impl Field {
    pub(super) const fn new(path: &'static str, value: u64) -> Self {
        Self { path, value }
    }

    /// A size in bytes or items. No target has a `usize` wider than 64 bits, so nothing is lost.
    pub(super) const fn size(path: &'static str, value: usize) -> Self {
        Self::new(path, value as u64)
    }

    pub(super) fn at_least(
        self,
        min: u64,
        why: &'static str,
        report: &mut dyn FnMut(ProfileError),
    ) -> Self {
        if self.value < min {
            report(ProfileError::TooSmall {
                field: self.path,
                value: self.value,
                min,
                why,
            });
        }
        self
    }

    pub(super) fn at_most(self, max: u64, report: &mut dyn FnMut(ProfileError)) {
        if self.value > max {
            report(ProfileError::TooLarge {
                field: self.path,
                value: self.value,
                max,
            });
        }
    }

    /// `constant` is the name of the compile-time capacity whose value is `max`.
    pub(super) fn within_build(
        self,
        max: usize,
        constant: &'static str,
        report: &mut dyn FnMut(ProfileError),
    ) {
        let max = max as u64;
        if self.value > max {
            report(ProfileError::OverBuild {
                field: self.path,
                value: self.value,
                max,
                constant,
            });
        }
    }
}
