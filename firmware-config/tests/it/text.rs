//! Bounded text: never over its size, never inside a character, and a cut always says so.

use proptest::prelude::*;
use stride_firmware_config::text::{BoundedText, CUT_MARK, Kept, Overflow, TextOverflow, cut_to};

use crate::arbitrary::text;

fn check_cut<const N: usize>(offered: &str, limit: usize) -> Result<(), TestCaseError> {
    let mut bounded = BoundedText::<N>::new();
    let kept = bounded.set_within(offered, limit, Overflow::Cut);
    let room = limit.min(N);
    let kept = kept.map_err(|refused| TestCaseError::fail(refused.to_string()))?;
    prop_assert!(bounded.len() <= room);
    prop_assert_eq!(kept.kept + kept.dropped, offered.len());
    if offered.len() <= room {
        prop_assert_eq!(&bounded, offered);
        prop_assert_eq!(kept.dropped, 0);
        return Ok(());
    }
    prop_assert!(kept.dropped > 0);
    let mark = if room > 2 * CUT_MARK.len() {
        CUT_MARK
    } else {
        ""
    };
    let head = bounded.strip_suffix(mark);
    prop_assert_eq!(head, offered.get(..kept.kept));
    Ok(())
}

fn check_refuse<const N: usize>(offered: &str, limit: usize) -> Result<(), TestCaseError> {
    let mut bounded = BoundedText::<N>::new();
    let old = cut_to("älteres", N);
    prop_assert!(bounded.set(old, Overflow::Refuse).is_ok());
    let room = limit.min(N);
    let result = bounded.set_within(offered, limit, Overflow::Refuse);
    if offered.len() <= room {
        let kept = offered.len();
        prop_assert_eq!(result, Ok(Kept { kept, dropped: 0 }));
        prop_assert_eq!(&bounded, offered);
    } else {
        let len = offered.len();
        prop_assert_eq!(result, Err(TextOverflow { len, limit: room }));
        prop_assert_eq!(&bounded, old);
    }
    Ok(())
}

proptest! {
    #[test]
    fn cut_text_fits_and_says_so(offered in text(), limit in 0_usize..600) {
        check_cut::<0>(&offered, limit)?;
        check_cut::<1>(&offered, limit)?;
        check_cut::<13>(&offered, limit)?;
        check_cut::<96>(&offered, limit)?;
        check_cut::<512>(&offered, limit)?;
    }

    #[test]
    fn refused_text_leaves_the_old_one(offered in text(), limit in 0_usize..600) {
        check_refuse::<0>(&offered, limit)?;
        check_refuse::<5>(&offered, limit)?;
        check_refuse::<96>(&offered, limit)?;
        check_refuse::<512>(&offered, limit)?;
    }

    #[test]
    fn cut_to_ends_at_a_character_and_a_word(offered in text(), limit in 0_usize..600) {
        let head = cut_to(&offered, limit);
        prop_assert!(head.len() <= limit);
        prop_assert!(offered.starts_with(head));
        if offered.len() <= limit {
            prop_assert_eq!(head, &offered);
            return Ok(());
        }
        let at_word = offered[head.len()..].starts_with(char::is_whitespace);
        let one_word = !head.trim_start().contains(char::is_whitespace);
        prop_assert!(at_word || one_word, "{head:?} ends inside a word");
    }

    #[test]
    fn wire_form_round_trips_and_respects_the_size(offered in text()) {
        let wire = wire_form(&offered);
        match postcard::from_bytes::<BoundedText<96>>(&wire) {
            Ok(bounded) => prop_assert_eq!(&bounded, offered.as_str()),
            Err(_) => prop_assert!(offered.len() > 96),
        }
    }
}

/// The wire form of a plain string, whose length is not bounded.
fn wire_form(text: &str) -> Vec<u8> {
    let mut room = vec![0; text.len() + 10];
    let len = postcard::to_slice(text, &mut room)
        .expect("ten bytes hold any length")
        .len();
    room.truncate(len);
    room
}

fn cut<const N: usize>(offered: &str) -> String {
    let mut bounded = BoundedText::<N>::new();
    bounded
        .set(offered, Overflow::Cut)
        .expect("cutting never refuses");
    bounded.to_string()
}

#[test]
fn a_cut_ends_at_a_word_and_bears_the_mark() {
    assert_eq!(
        cut::<24>("you open the drawer 1 slowly"),
        "you open the [cut]"
    );
    // The word ends exactly where the room does.
    assert_eq!(cut::<18>("you open the drawer"), "you open the [cut]");
}

#[test]
fn a_single_long_word_is_cut_inside() {
    assert_eq!(cut::<16>("abcdefghijklmnopqrstuvwxyz"), "abcdefghij [cut]");
    assert_eq!(cut::<16>("漢漢漢漢漢漢漢漢"), "漢漢漢 [cut]");
}

#[test]
fn a_buffer_too_small_for_the_mark_holds_text_alone() {
    assert_eq!(cut::<12>("you open the drawer"), "you open the");
    assert_eq!(cut::<3>("🦀"), "");
}

#[test]
fn a_refusal_names_both_sizes() {
    let refused = BoundedText::<4>::try_from("drawer").expect_err("six bytes");
    assert_eq!(
        refused.to_string(),
        "text of 6 bytes does not fit a buffer of 4 bytes; shorten it or raise the capacity in the profile"
    );
}
