//! Every shipped board parses, is valid and is found by its name.

use std::fs;
use std::path::Path;

use stride_firmware_config::boards::{BOARDS, find, names};
use stride_firmware_config::profile::DeviceProfile;

#[test]
fn every_board_is_valid_and_bears_its_name() {
    for &(name, text) in BOARDS {
        let profile: DeviceProfile =
            toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(profile.validate(), Ok(()), "{name}");
        assert_eq!(profile.name, name);
        assert!(!profile.description.is_empty(), "{name} has no description");
        assert!(text.starts_with("# "), "{name} names no sources");
        let again: DeviceProfile = toml::from_str(&toml::to_string(&profile).expect("plain data"))
            .expect("what was written is read");
        assert_eq!(again, profile, "{name}");
    }
}

#[test]
fn every_file_is_shipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder exists")
        .map(|entry| entry.expect("it is readable").file_name())
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    files.sort();
    let shipped: Vec<_> = names().map(|name| format!("{name}.toml")).collect();
    assert_eq!(files, shipped);
}

#[test]
fn a_board_is_found_by_name_alone() {
    assert_eq!(find("arm-512mb"), Some(BOARDS[0].1));
    assert_eq!(find("arm"), None);
}
