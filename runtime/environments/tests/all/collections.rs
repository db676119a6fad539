//! Listing games: folder layouts, archives, hostile archives.

use std::fs;
use std::io::Write;
use std::path::Path;

use stride_environments::alfworld::{Collection, CollectionError, Split};
use stride_environments::household::Household;
use tempfile::TempDir;

const SEEN: &str = "valid_seen/pick_and_place_simple-Mug-None-Shelf-1/trial_1/game.tw-pddl";
const TRAIN: &str = "train/look_at_obj_in_light-Book-None-DeskLamp-2/trial_2/game.tw-pddl";
const MOVABLE: &str =
    "train/pick_and_place_with_movable_recep-Book-Box-Desk-2/trial_2/game.tw-pddl";
const UNSOLVED: &str = "train/pick_and_place_simple-Mug-None-Shelf-1/trial_3/game.tw-pddl";

fn game(solvable: bool) -> Vec<u8> {
    let mut file = Household::new(1).to_game_file();
    file.solvable = Some(solvable);
    serde_json::to_vec(&file).unwrap()
}

fn folder() -> TempDir {
    let root = TempDir::new().unwrap();
    for (id, solvable) in [
        (SEEN, true),
        (TRAIN, true),
        (MOVABLE, true),
        (UNSOLVED, false),
    ] {
        let path = root.path().join("json_2.1.1").join(id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, game(solvable)).unwrap();
    }
    root
}

fn ids(path: &Path) -> Vec<String> {
    Collection::open(path)
        .unwrap()
        .ids()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_layout_gives_the_same_ids() {
    let root = folder();
    let json = root.path().join("json_2.1.1");
    assert_eq!(ids(root.path()), [TRAIN, SEEN]);
    assert_eq!(ids(&json), [TRAIN, SEEN]);
    assert_eq!(ids(&json.join("valid_seen")), [SEEN]);
    assert_eq!(ids(&json.join(SEEN)), [SEEN]);
    let collection = Collection::open_split(&json, Split::Train).unwrap();
    assert_eq!(
        collection
            .ids()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [TRAIN]
    );
    assert_eq!(
        collection.passed_over().len(),
        2,
        "a movable receptacle and an unsolvable game"
    );
    collection.load(collection.ids().next().unwrap()).unwrap();
}

#[test]
fn places_without_games_are_refused() {
    let root = TempDir::new().unwrap();
    assert!(matches!(
        Collection::open(root.path()),
        Err(CollectionError::NoGames { .. })
    ));
    let missing = Collection::open(&root.path().join("missing"));
    assert!(matches!(missing, Err(CollectionError::Read { .. })));
    let root = folder();
    let collection = Collection::open(root.path()).unwrap();
    let other = stride_environments::alfworld::GameId::new("train/x");
    assert!(matches!(
        collection.read(&other),
        Err(CollectionError::NoSuchGame { .. })
    ));
}

fn pack(entries: &[(&str, &[u8])]) -> TempDir {
    let mut tar = Vec::new();
    for (name, data) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        if name.len() > 100 {
            let mut long = tar::Header::new_gnu();
            long.set_entry_type(tar::EntryType::GNULongName);
            long.set_size(name.len() as u64 + 1);
            append(&mut tar, &mut long, &[name.as_bytes(), b"\0"].concat());
        }
        let short = &name.as_bytes()[..name.len().min(100)];
        header.as_gnu_mut().unwrap().name[..short.len()].copy_from_slice(short);
        append(&mut tar, &mut header, data);
    }
    tar.extend([0; 1024]);
    let folder = TempDir::new().unwrap();
    let mut file = fs::File::create(folder.path().join("games.tar.zst")).unwrap();
    file.write_all(&zstd::bulk::compress(&tar, 1).unwrap())
        .unwrap();
    folder
}

fn append(tar: &mut Vec<u8>, header: &mut tar::Header, data: &[u8]) {
    header.set_cksum();
    tar.extend(header.as_bytes());
    tar.extend(data);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn open(folder: &TempDir) -> Result<Collection, CollectionError> {
    Collection::open(&folder.path().join("games.tar.zst"))
}

#[test]
fn an_archive_is_read_like_its_folder() {
    let json = game(true);
    let long = format!(
        "json_2.1.1/train/pick_and_place_simple-{}-None-Shelf-1/t/game.tw-pddl",
        "Mug".repeat(40)
    );
    let folder = pack(&[
        (&format!("./json_2.1.1/{SEEN}"), &json),
        (&long, &json),
        ("notes.txt", b"hello"),
    ]);
    let collection = open(&folder).unwrap();
    let found: Vec<_> = collection.ids().map(ToString::to_string).collect();
    assert_eq!(found, [&long["json_2.1.1/".len()..], SEEN]);
    collection.load(collection.ids().next().unwrap()).unwrap();
    let seen =
        Collection::open_split(&folder.path().join("games.tar.zst"), Split::ValidSeen).unwrap();
    assert_eq!(seen.len(), 1);
}

#[test]
fn hostile_archives_are_refused() {
    let json = game(true);
    for name in [
        "../game.tw-pddl",
        "/etc/game.tw-pddl",
        "train/../../game.tw-pddl",
        "a\\game.tw-pddl",
    ] {
        let folder = pack(&[(name, &json)]);
        assert!(
            matches!(open(&folder), Err(CollectionError::ArchiveEscapes { .. })),
            "{name}"
        );
    }
    let large = vec![b' '; 17 << 20];
    let folder = pack(&[(SEEN, &large)]);
    assert!(matches!(
        open(&folder),
        Err(CollectionError::ArchiveTooLarge { .. })
    ));
    let endless = "x".repeat(1 << 20);
    let folder = pack(&[(&endless, &json)]);
    assert!(matches!(
        open(&folder),
        Err(CollectionError::ArchiveTooLarge { .. })
    ));
    let folder = pack(&[(SEEN, &json)]);
    let path = folder.path().join("games.tar.zst");
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(open(&folder), Err(CollectionError::Read { .. })));
}
