//! llama.cpp's "llama": neighbours are joined by the score of what they make, over the whole text.

use super::vocabulary::Vocabulary;

/// How SentencePiece writes a space.
pub(super) const SPACE: char = '\u{2581}';

/// Appends the tokens of `text`.
pub(super) fn tokenize(
    text: &str,
    vocabulary: &Vocabulary,
    out: &mut Vec<u32>,
) -> Result<(), String> {
    let text = text.replace(' ', SPACE.encode_utf8(&mut [0; 4]));
    let score = |from: usize, to: usize| {
        let token = vocabulary.id(&text[from..to])?;
        Some(vocabulary.score(token))
    };
    let mut bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    bounds.push(text.len());
    // scores[i] is what joining parts i and i + 1 is worth.
    let mut scores: Vec<Option<f32>> = bounds
        .windows(3)
        .map(|part| score(part[0], part[2]))
        .collect();
    loop {
        let mut best: Option<(usize, f32)> = None;
        for (at, score) in scores.iter().enumerate() {
            if let Some(score) = *score
                && best.is_none_or(|(_, other)| score > other)
            {
                best = Some((at, score));
            }
        }
        let Some((at, _)) = best else { break };
        bounds.remove(at + 1);
        scores.remove(at);
        for left in [at.wrapping_sub(1), at] {
            if let Some(place) = scores.get_mut(left) {
                *place = score(bounds[left], bounds[left + 2]);
            }
        }
    }
    for part in bounds.windows(2) {
        let piece = &text[part[0]..part[1]];
        if let Some(token) = vocabulary.id(piece) {
            out.push(token);
            continue;
        }
        for byte in piece.bytes() {
            let name = format!("<0x{byte:02X}>");
            let token = vocabulary.id(&name);
            out.push(token.ok_or_else(|| format!("there is no token {name}"))?);
        }
    }
    Ok(())
}
