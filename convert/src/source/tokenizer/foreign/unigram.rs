//! llama.cpp's "t5": characters are mapped, spaces handled, and the most likely pieces found.

use super::pieces::SPACE;
use super::vocabulary::{TokenKind, Vocabulary};

/// What a character without a token costs beyond the unlikeliest token.
const UNKNOWN_PENALTY: f32 = 10.0;

#[derive(Debug)]
pub(super) struct Unigram<'a> {
    vocabulary: &'a Vocabulary,
    space_prefix: bool,
    merge_spaces: bool,
    map: CharacterMap<'a>,
    unknown: u32,
    unknown_score: f32,
    longest: usize,
    own: Vec<&'a str>,
}

impl<'a> Unigram<'a> {
    pub(super) fn new(
        vocabulary: &'a Vocabulary,
        space_prefix: bool,
        merge_spaces: bool,
        character_map: &'a [u8],
    ) -> Result<Self, String> {
        let all = || vocabulary.tokens.iter().zip(&vocabulary.kinds);
        let normal = (0..)
            .zip(all())
            .filter(|(_, (_, kind))| **kind == TokenKind::Normal);
        let least = normal
            .map(|(id, _)| vocabulary.score(id))
            .fold(f32::MAX, f32::min);
        let own = all().filter(|(_, kind)| **kind == TokenKind::UserDefined);
        Ok(Self {
            vocabulary,
            space_prefix,
            merge_spaces,
            map: CharacterMap::parse(character_map)?,
            unknown: vocabulary
                .unknown
                .ok_or("there is no token for what is unknown")?,
            unknown_score: least - UNKNOWN_PENALTY,
            longest: vocabulary.tokens.iter().map(String::len).max().unwrap_or(0),
            own: own.map(|(text, _)| text.as_str()).collect(),
        })
    }

    /// Appends the tokens of `text`.
    pub(super) fn tokenize(&self, text: &str, out: &mut Vec<u32>) -> Result<(), String> {
        let text = self.normalized(text)?;
        // For every end: the best token that ends there, where it begins, and the score up to there.
        let mut best: Vec<Option<(u32, usize, f64)>> = vec![None; text.len() + 1];
        best[0] = Some((self.unknown, 0, 0.0));
        for (from, character) in text.char_indices() {
            let Some((_, _, so_far)) = best[from] else {
                continue;
            };
            let mut offer = |token: u32, to: usize, score: f64| {
                if best[to].is_none_or(|(_, _, other)| so_far + score > other) {
                    best[to] = Some((token, from, so_far + score));
                }
            };
            let next = from + character.len_utf8();
            let mut whole_character = false;
            for to in (next..=text.len()).take_while(|to| to - from <= self.longest) {
                let token = text
                    .get(from..to)
                    .and_then(|piece| self.vocabulary.id(piece));
                let Some(token) = token else { continue };
                let score = match self.vocabulary.kinds[token as usize] {
                    TokenKind::Normal | TokenKind::Unused => self.vocabulary.score(token),
                    TokenKind::UserDefined => 0.0,
                    TokenKind::Control | TokenKind::Unknown | TokenKind::Byte => continue,
                };
                whole_character |= to == next;
                offer(token, to, f64::from(score));
            }
            if !whole_character {
                offer(self.unknown, next, f64::from(self.unknown_score));
            }
        }
        let mut tokens = Vec::new();
        let mut at = text.len();
        while at > 0 {
            // Every character is reachable from the one before, as unknown at least.
            let Some((token, from, _)) = best[at] else {
                break;
            };
            if token != self.unknown || tokens.last() != Some(&token) {
                tokens.push(token);
            }
            at = from;
        }
        out.extend(tokens.iter().rev());
        Ok(())
    }

    fn normalized(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut prefixed = false;
        let mut in_word = false;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            // llama.cpp leaves alone what begins a user-defined token, even where the token does not follow whole.
            let common = |own: &&str| {
                let pairs = own.bytes().zip(rest.bytes());
                pairs.take_while(|(one, other)| one == other).count()
            };
            let own = self.own.iter().map(common).max().unwrap_or(0);
            let (mapped, consumed) = if own > 0 {
                (rest.get(..own).unwrap_or_default(), own)
            } else {
                let itself = (&rest[..first.len_utf8()], first.len_utf8());
                self.map.longest(rest.as_bytes())?.unwrap_or(itself)
            };
            for character in mapped.chars() {
                if character == ' ' {
                    in_word = false;
                    if !self.merge_spaces {
                        out.push(SPACE);
                    }
                    continue;
                }
                if !in_word {
                    in_word = true;
                    if (self.space_prefix && !prefixed) || self.merge_spaces {
                        out.push(SPACE);
                        prefixed = true;
                    }
                }
                out.push(character);
            }
            rest = rest
                .get(consumed..)
                .ok_or("the map of characters cuts a character")?;
        }
        Ok(out)
    }
}

/// SentencePiece's map of characters: a double array whose leaves point at replacements that end with a zero.
#[derive(Debug)]
pub(super) struct CharacterMap<'a> {
    nodes: Vec<u32>,
    replacements: &'a [u8],
}

impl<'a> CharacterMap<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Ok(Self {
                nodes: Vec::new(),
                replacements: &[],
            });
        }
        let cut = "the map of characters is cut short";
        let (len, rest) = bytes.split_first_chunk::<4>().ok_or(cut)?;
        let len = u32::from_le_bytes(*len) as usize;
        // llama.cpp wants at least one byte of replacements.
        if len >= rest.len() {
            return Err(cut.into());
        }
        let (nodes, replacements) = rest.split_at(len);
        let (nodes, _) = nodes.as_chunks::<4>();
        Ok(Self {
            nodes: nodes.iter().map(|&node| u32::from_le_bytes(node)).collect(),
            replacements,
        })
    }

    /// What the longest known beginning of `text` becomes, and the bytes of that beginning.
    fn longest(&self, text: &[u8]) -> Result<Option<(&'a str, usize)>, String> {
        if self.nodes.is_empty() {
            return Ok(None);
        }
        let outside = "the map of characters points outside itself";
        let node = |at: u32| self.nodes.get(at as usize).copied().ok_or(outside);
        let base = |node: u32| (node >> 10) << ((node & (1 << 9)) >> 6);
        let mut at = base(node(0)?);
        let mut found = None;
        for (consumed, &byte) in (1..).zip(text) {
            if byte == 0 {
                break;
            }
            at ^= u32::from(byte);
            let current = node(at)?;
            if current & (1 << 31 | 0xff) != u32::from(byte) {
                break;
            }
            at ^= base(current);
            if (current >> 8) & 1 == 1 {
                found = Some((node(at)? & !(1 << 31), consumed));
            }
        }
        let Some((place, consumed)) = found else {
            return Ok(None);
        };
        let replacement = self.replacements.get(place as usize..).ok_or(outside)?;
        let end = replacement
            .iter()
            .position(|&byte| byte == 0)
            .ok_or(outside)?;
        let text = std::str::from_utf8(&replacement[..end])
            .map_err(|_| "the map of characters holds no UTF-8")?;
        Ok(Some((text, consumed)))
    }
}
