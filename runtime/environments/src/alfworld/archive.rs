//! Reading a `.tar.zst` (or `.tar`) of games that may be hostile. It is streamed once; nothing is written to disk.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use tar::{Archive, Entry, EntryType};

use super::collection::GAME_FILE;
use super::error::CollectionError;
use super::game::Game;
use super::identity::GameId;

/// How much of an archive is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArchiveLimits {
    /// Most bytes after decompression. 4 GiB: ten times ALFWorld's data.
    pub(super) total: u64,
    /// Most entries.
    pub(super) entries: usize,
    /// Longest path.
    pub(super) path: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            total: 4 << 30,
            entries: 500_000,
            path: 4096,
        }
    }
}

/// Called with each game; what it returns besides `Ok` ends the reading.
pub(super) type Visit<'a> = &'a mut dyn FnMut(GameId, &[u8]) -> io::Result<()>;

/// Visits the wanted games of an archive.
pub(super) fn each_game(
    path: &Path,
    limits: &ArchiveLimits,
    wanted: &dyn Fn(&GameId) -> bool,
    visit: Visit<'_>,
) -> Result<(), CollectionError> {
    let read = |source| CollectionError::Read {
        path: path.to_owned(),
        source,
    };
    let file = BufReader::new(File::open(path).map_err(read)?);
    let plain: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "tar") {
        Box::new(file)
    } else {
        let mut decoder = zstd::Decoder::with_buffer(file).map_err(read)?;
        // Archives made with `zstd --long=27` need a window of 128 MiB; more is refused.
        decoder.window_log_max(27).map_err(read)?;
        Box::new(decoder)
    };
    let mut archive = Archive::new(plain.take(limits.total));
    let mut long_name = None;
    let mut seen = 0;
    // Raw entries: the tar crate would read a long name of any size into memory.
    for entry in archive.entries().map_err(read)?.raw(true) {
        let mut entry = entry.map_err(read)?;
        seen += 1;
        if seen > limits.entries {
            return Err(CollectionError::ArchiveTooLarge {
                path: path.to_owned(),
                what: "entries",
            });
        }
        match entry.header().entry_type() {
            EntryType::GNULongName | EntryType::XHeader => {
                let read_name = extended_name(&mut entry, limits.path).map_err(read)?;
                long_name = Some(read_name.ok_or_else(|| too_long(path))?)
                    .flatten()
                    .or(long_name);
            }
            EntryType::Regular | EntryType::Continuous => {
                let name = match long_name.take() {
                    Some(name) => name,
                    None => entry.path_bytes().into_owned(),
                };
                visit_entry(path, &name, &mut entry, wanted, visit)?;
            }
            // Folders and links hold no games; what a link points to is never followed.
            _ => long_name = None,
        }
    }
    Ok(())
}

fn too_long(path: &Path) -> CollectionError {
    CollectionError::ArchiveTooLarge {
        path: path.to_owned(),
        what: "a name",
    }
}

fn visit_entry<R: Read>(
    archive: &Path,
    name: &[u8],
    entry: &mut Entry<'_, R>,
    wanted: &dyn Fn(&GameId) -> bool,
    visit: Visit<'_>,
) -> Result<(), CollectionError> {
    let escapes = || CollectionError::ArchiveEscapes {
        path: archive.to_owned(),
        entry: String::from_utf8_lossy(name).chars().take(200).collect(),
    };
    let name = std::str::from_utf8(name).map_err(|_| escapes())?;
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if name.starts_with('/') || parts.contains(&"..") || name.contains(['\\', '\0']) {
        return Err(escapes());
    }
    let id = GameId::from_parts(&parts);
    if parts.last() != Some(&GAME_FILE) || !wanted(&id) {
        return Ok(());
    }
    let bytes = entry.size();
    if bytes > Game::MAX_BYTES {
        return Err(CollectionError::ArchiveTooLarge {
            path: archive.to_owned(),
            what: "a game",
        });
    }
    let read = |source| CollectionError::Read {
        path: archive.to_owned(),
        source,
    };
    let mut json = Vec::new();
    entry.read_to_end(&mut json).map_err(read)?;
    visit(id, &json).map_err(read)
}

/// The name in a GNU long name or a pax header. The outer `None`: it is longer than the limit.
fn extended_name<R: Read>(
    entry: &mut Entry<'_, R>,
    limit: u64,
) -> io::Result<Option<Option<Vec<u8>>>> {
    let is_pax = entry.header().entry_type() == EntryType::XHeader;
    if entry.size() > limit {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    if !is_pax {
        bytes.truncate(
            bytes
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(bytes.len()),
        );
        return Ok(Some(Some(bytes)));
    }
    // Records of the form `30 path=some/long/path\n`.
    let mut rest = &bytes[..];
    let mut name = None;
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length = std::str::from_utf8(&rest[..space])
            .ok()
            .and_then(|text| text.parse::<usize>().ok());
        let Some(record) = length.and_then(|length| rest.get(space + 1..length)) else {
            break;
        };
        if let Some(path) = record.strip_prefix(b"path=") {
            name = Some(path.trim_ascii_end().to_vec());
        }
        rest = &rest[space + 1 + record.len()..];
    }
    Ok(Some(name))
}
