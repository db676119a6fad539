//! A GGUF as a folder: `stride-convert dequantize` as a child.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::data;
use crate::error::{Result, TrainError};
use crate::files::{create_folder, write_atomically};

/// The folder of a converted backbone in a run's folder.
pub const NAME: &str = "backbone";
/// The variable that names the program.
pub const VARIABLE: &str = "STRIDE_CONVERT";

/// The folder of a backbone: `given` itself, or where it is a file, what the program makes of it in `folder`. A folder that was made
/// of the same file before is taken as it is: the program leaves none behind that is not whole.
///
/// # Errors
/// When the program cannot be started or refuses the file, or the folder was made of another file.
pub fn folder(given: &Path, folder: &Path) -> Result<PathBuf> {
    if !given.is_file() {
        return Ok(given.to_owned());
    }
    let source = folder.with_file_name(format!("{}.sha256", NAME));
    let digest = data::sha256(given)?;
    if folder.exists() {
        if std::fs::read_to_string(&source).is_ok_and(|made_of| made_of.trim() == digest) {
            return Ok(folder.to_owned());
        }
        return Err(TrainError::checkpoint(
            folder,
            format!("it was not made of {}; delete it", given.display()),
        ));
    }
    if let Some(run) = folder.parent() {
        create_folder(run)?;
    }
    write_atomically(&source, format!("{digest}\n").as_bytes())?;
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
