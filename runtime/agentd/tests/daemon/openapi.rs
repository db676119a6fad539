//! The OpenAPI document that is checked in is the one that the code makes.

use std::path::Path;
use std::process::Command;

use crate::support::PROGRAM;

#[test]
fn the_document_is_current() {
    let made = Command::new(PROGRAM).arg("openapi").output().unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        made == kept,
        "the API has changed; run: stride-agentd openapi > runtime/agentd/openapi.json"
    );
}
