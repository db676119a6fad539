//! The games of a folder, a file or an archive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::archive::{self, ArchiveLimits};
use super::error::{CollectionError, GameError};
use super::game::Game;
use super::identity::{GameId, Split};

/// The name of a game file.
pub const GAME_FILE: &str = "game.tw-pddl";

/// Deepest folder below the one that was given.
const MAX_DEPTH: usize = 6;

/// Bytes at the end of a game file where `solvable` stands.
const TAIL: u64 = 16 << 10;

/// Where a game lies.
#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    /// Packed again, one by one: the whole of `train` is 230 MB otherwise.
    Packed(Vec<u8>),
}

/// Games in a stable order (by id).
///
/// The place may be a folder (`$ALFWORLD_DATA`, its `json_2.1.1`, a split, or any folder above or below them), one
/// game file, or a `.tar.zst` or `.tar` of such folders. ALFWorld's rules decide which games are listed: none with
/// movable receptacles or sliced objects in its path, and none that is marked as unsolvable. (ALFWorld also asks for
/// a `traj_data.json` beside the game; that is not asked here, because the text games do not need it.)
#[derive(Debug, Clone, Default)]
pub struct Collection {
    games: BTreeMap<GameId, Place>,
    passed_over: Vec<GameId>,
}

impl Collection {
    /// Opens a folder, a game file or an archive.
    ///
    /// # Errors
    /// When nothing is there, it cannot be read, or an archive is malformed or hostile.
    pub fn open(path: &Path) -> Result<Self, CollectionError> {
        Self::open_where(path, &|_| true)
    }

    /// Opens only the games of one split; an archive of everything then takes little memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_split(path: &Path, split: Split) -> Result<Self, CollectionError> {
        Self::open_where(path, &|id| id.split() == Some(split))
    }

    /// Opens what `$ALFWORLD_DATA` names.
    ///
    /// # Errors
    /// When the variable is not set, and as [`open`](Self::open).
    pub fn from_variable() -> Result<Self, CollectionError> {
        let path = std::env::var_os("ALFWORLD_DATA").ok_or(CollectionError::NoVariable)?;
        Self::open(Path::new(&path))
    }

    fn open_where(path: &Path, wanted: &dyn Fn(&GameId) -> bool) -> Result<Self, CollectionError> {
        let read = |source| CollectionError::Read {
            path: path.to_owned(),
            source,
        };
        let mut collection = Self::default();
        let metadata = fs::metadata(path).map_err(read)?;
        if metadata.is_dir() {
            collection.walk(path, 0, wanted)?;
        } else if is_archive(path).map_err(read)? {
            collection.unpack(path, wanted)?;
        } else {
            collection.add_file(path)?;
        }
        if collection.games.is_empty() {
            return Err(CollectionError::NoGames {
                path: path.to_owned(),
            });
        }
        Ok(collection)
    }

    fn walk(
        &mut self,
        folder: &Path,
        depth: usize,
        wanted: &dyn Fn(&GameId) -> bool,
    ) -> Result<(), CollectionError> {
        let read = |source| CollectionError::Read {
            path: folder.to_owned(),
            source,
        };
        for entry in fs::read_dir(folder).map_err(read)? {
            let entry = entry.map_err(read)?;
            let kind = entry.file_type().map_err(read)?;
            let path = entry.path();
            if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
                if depth < MAX_DEPTH {
                    self.walk(&path, depth + 1, wanted)?;
                }
            } else if entry.file_name() == GAME_FILE && wanted(&id_of(&path)) {
                self.add_file(&path)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), CollectionError> {
        let id = id_of(path);
        let read = |source| CollectionError::Read {
            path: path.to_owned(),
            source,
        };
        if id.is_passed_over() || is_unsolvable(&tail(path).map_err(read)?) {
            self.passed_over.push(id);
        } else {
            self.games.insert(id, Place::File(path.to_owned()));
        }
        Ok(())
    }

    fn unpack(
        &mut self,
        path: &Path,
        wanted: &dyn Fn(&GameId) -> bool,
    ) -> Result<(), CollectionError> {
        archive::each_game(path, &ArchiveLimits::default(), wanted, &mut |id, json| {
            let from = json
                .len()
                .saturating_sub(usize::try_from(TAIL).unwrap_or(usize::MAX));
            if id.is_passed_over() || is_unsolvable(&json[from..]) {
                self.passed_over.push(id);
            } else {
                self.games
                    .insert(id, Place::Packed(zstd::bulk::compress(json, 1)?));
            }
            Ok(())
        })
    }

    /// How many games there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.games.len()
    }

    /// Whether there are no games. (Opening a place without games is refused.)
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.games.is_empty()
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &GameId> {
        self.games.keys()
    }

    /// The ids of one split, in order.
    pub fn split(&self, split: Split) -> impl Iterator<Item = &GameId> {
        self.games
            .keys()
            .filter(move |id| id.split() == Some(split))
    }

    /// Games that ALFWorld would not play.
    #[must_use]
    pub fn passed_over(&self) -> &[GameId] {
        &self.passed_over
    }

    /// The JSON of a game.
    ///
    /// # Errors
    /// When there is no such game, or its file cannot be read.
    pub fn read(&self, id: &GameId) -> Result<Vec<u8>, CollectionError> {
        match self.games.get(id) {
            None => Err(CollectionError::NoSuchGame { id: id.clone() }),
            Some(Place::File(path)) => read_bounded(path).map_err(|source| CollectionError::Read {
                path: path.clone(),
                source,
            }),
            Some(Place::Packed(packed)) => {
                let limit = usize::try_from(Game::MAX_BYTES).unwrap_or(usize::MAX);
                zstd::bulk::decompress(packed, limit).map_err(|source| CollectionError::Read {
                    path: id.as_str().into(),
                    source,
                })
            }
        }
    }

    /// Reads and compiles a game.
    ///
    /// # Errors
    /// When there is no such game, or it cannot be read or compiled.
    pub fn load(&self, id: &GameId) -> Result<Game, CollectionError> {
        let game = |source: GameError| CollectionError::Game {
            id: id.clone(),
            source: Box::new(source),
        };
        Game::from_json(&self.read(id)?).map_err(game)
    }
}

fn id_of(path: &Path) -> GameId {
    let parts: Vec<_> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
    // Without a split in the path, the task folder, the trial and the file say enough.
    let short = &parts[parts.len().saturating_sub(3)..];
    let known = parts
        .iter()
        .any(|part| part.parse::<Split>().is_ok() || *part == "json_2.1.1");
    GameId::from_parts(if known { &parts } else { short })
}

/// Archives begin with zstd's mark, or are called `.tar`.
fn is_archive(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(start == [0x28, 0xb5, 0x2f, 0xfd]
        || path.extension().is_some_and(|extension| extension == "tar"))
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}

/// Whether the end of a game's JSON marks it as unsolvable. Quotes inside its texts are escaped, so the bare
/// key can only be the field itself.
fn is_unsolvable(tail: &[u8]) -> bool {
    const KEY: &[u8] = b"\"solvable\"";
    let keys = tail
        .windows(KEY.len())
        .enumerate()
        .filter(|(_, window)| *window == KEY);
    keys.map(|(at, _)| &tail[at + KEY.len()..]).any(|rest| {
        let value = rest
            .trim_ascii_start()
            .strip_prefix(b":")
            .map(<[u8]>::trim_ascii_start);
        value.is_some_and(|value| value.starts_with(b"false"))
    })
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    // One byte more than a game may have, so that the reader of games refuses the rest by its own limit.
    File::open(path)?
        .take(Game::MAX_BYTES + 1)
        .read_to_end(&mut json)?;
    Ok(json)
}
