//! Whatever comes in, the readers answer with a value or an error, never with a panic.

use std::borrow::Cow;
use std::sync::Arc;

use proptest::prelude::*;
use stride_environments::alfworld::{Game, GameFile, Naming, Session, read_opening};
use stride_environments::grammar::Document;
use stride_environments::household::Household;
use stride_environments::pddl::{Domain, Limits, Problem};

/// Texts made of the pieces that the formats are made of, so that they get past the first word.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "(",
        ")",
        "(define",
        "(domain",
        "d)",
        "(:types",
        "a",
        "-",
        "b",
        "(:predicates",
        "(p",
        "?x",
        "(:action",
        ":parameters",
        ":precondition",
        ":effect",
        "(and",
        "(or",
        "(not",
        "(exists",
        "(forall",
        "(when",
        "(=",
        "(imply",
        ";",
        "\n",
        "grammar",
        "::",
        "\"\"\"",
        "{",
        "}",
        "\"",
        "action",
        "template",
        "feedback",
        "#",
        "|",
        "[",
        "]",
        "&",
        ".",
        " ",
        "'",
        "é",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn pddl_never_panics(text in prop_oneof![pieces(), any::<String>()]) {
        let limits = Limits::default();
        let _ = Domain::parse(&text, &limits);
        let _ = Problem::parse(&text, &Domain::default(), &limits);
    }

    #[test]
    fn grammars_never_panic(text in prop_oneof![pieces(), any::<String>()]) {
        let _ = Document::parse(&text);
        let _ = read_opening(&text);
    }

    #[test]
    fn games_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Game::from_json(&bytes);
    }

    /// A good game with a piece of its texts replaced.
    #[test]
    fn damaged_games_never_panic(at in 0.0..1.0, length in 0_usize..40, text in pieces(), field in 0..3) {
        let damage = |original: &str| {
            let cut = |position: usize| (0..=position).rev().find(|i| original.is_char_boundary(*i)).unwrap_or(0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let start = (original.len() as f64 * at) as usize;
            let end = (start + length).min(original.len());
            Cow::<str>::Owned(format!("{}{text}{}", &original[..cut(start)], &original[cut(end)..]))
        };
        let good = Household::new(5).to_game_file();
        let mut file = GameFile { naming: Naming::Alfred, ..good.clone() };
        match field {
            0 => file.pddl_domain = damage(&good.pddl_domain),
            1 => file.pddl_problem = damage(&good.pddl_problem),
            _ => file.grammar = damage(&good.grammar),
        }
        if let Ok(game) = Game::new(&file) {
            let mut session = Session::new(Arc::new(game));
            let _ = session.reset();
            for command in session.admissible().unwrap_or_default().iter().take(3) {
                let _ = session.step(command);
            }
        }
    }
}
