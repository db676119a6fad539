//! What lies outside the repository. A test that misses it says so and passes, except under `CI=true` (or `1`), where its absence
//! is a failure.

use std::path::{Path, PathBuf};

/// The file or folder of this name among the shared data: in `$STRIDE_SHARED`, or in `../shared` beside the workspace.
pub fn shared(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = std::env::var_os("STRIDE_SHARED")
        .map_or(beside, PathBuf::from)
        .join(name);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!(
        "{} is not there; set STRIDE_SHARED",
        path.display()
    ))
}

/// Says why a test is not run; fails where it must run.
pub fn skipped<T>(reason: &str) -> Option<T> {
    let ci = std::env::var("CI").unwrap_or_default();
    assert!(ci != "true" && ci != "1", "{reason}");
    println!("skipped: {reason}");
    None
}
