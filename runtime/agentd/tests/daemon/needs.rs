//! What lies outside the repository. A test that misses it says so and passes, except under `CI=true` (or `1`), where its absence
//! is a failure.

/// Says why a test is not run; fails where it must run.
pub fn skipped<T>(reason: &str) -> Option<T> {
    let ci = std::env::var("CI").unwrap_or_default();
    assert!(ci != "true" && ci != "1", "{reason}");
    println!("skipped: {reason}");
    None
}
