//! Bounds on single fields.

use std::path::Path;

use crate::source::SourceError;

/// Bounds on the fields of one file.
pub(super) struct Check<'a> {
    pub(super) path: &'a Path,
}

impl Check<'_> {
    pub(super) fn refuse(&self, field: &str, problem: String) -> SourceError {
        SourceError::Field {
            path: self.path.to_owned(),
            field: field.to_owned(),
            problem,
        }
    }

    pub(super) fn within(&self, field: &str, value: u64, most: u64) -> Result<usize, SourceError> {
        match usize::try_from(value) {
            Ok(small) if (1..=most).contains(&value) => Ok(small),
            _ => Err(self.refuse(field, format!("is {value}; 1 to {most} are allowed"))),
        }
    }

    pub(super) fn real(
        &self,
        field: &str,
        value: f64,
        least: f64,
        most: f64,
    ) -> Result<f32, SourceError> {
        if (least..=most).contains(&value) {
            Ok(value as f32)
        } else {
            Err(self.refuse(field, format!("is {value}; {least} to {most} are allowed")))
        }
    }

    pub(super) fn theta(&self, field: &str, value: f64) -> Result<f32, SourceError> {
        self.real(field, value, 1.0, 1e12)
    }
}
