//! A GGUF as a folder: `stride-convert dequantize` as a child.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Result, TrainError};

/// The variable that names the program.
pub const VARIABLE: &str = "STRIDE_CONVERT";

/// The folder of a backbone: `given` itself, or where it is a file, what the program makes of it in `folder`. A folder that is there
/// already is taken as it is: the program leaves none behind that is not whole.
///
/// # Errors
/// When the program cannot be started or refuses the file.
pub fn folder(given: &Path, folder: &Path) -> Result<PathBuf> {
    if !given.is_file() {
        return Ok(given.to_owned());
    }
    if folder.join(crate::tensors::WHOLE).exists() {
        return Ok(folder.to_owned());
    }
    let program = find();
    let failed = |reason: String| TrainError::Player {
        program: program.clone(),
        reason,
    };
    let status = Command::new(&program)
        .arg("dequantize")
        .arg(given)
        .arg("-o")
        .arg(folder)
        .status()
        .map_err(|error| {
            failed(format!(
                "{error}; it turns a GGUF into a folder: name it in {VARIABLE}, or give the folder"
            ))
        })?;
    if status.success() {
        Ok(folder.to_owned())
    } else {
        Err(failed(format!("ended with {status}")))
    }
}

/// The program in the variable, or beside this one, or in the search path.
fn find() -> PathBuf {
    let beside = || {
        let file = std::env::current_exe()
            .ok()?
            .with_file_name("stride-convert");
        file.is_file().then_some(file)
    };
    std::env::var_os(VARIABLE)
        .map(PathBuf::from)
        .or_else(beside)
        .unwrap_or_else(|| PathBuf::from("stride-convert"))
}
