//! The transcripts of the official engine, replayed to the character.
//!
//! They lie outside the repository, see [`crate::needs`].

use std::sync::Arc;

use stride_agent::environment::Environment;
use stride_environments::alfworld::{AlfworldEnvironment, Collection, Replay, Split, Transcripts};

use crate::needs;

#[test]
fn transcripts_of_valid_seen_are_reproduced() {
    let Some(folder) = needs::shared("alfworld") else {
        return;
    };
    let games = Collection::open_split(&folder.join("games.tar.zst"), Split::ValidSeen).unwrap();
    assert_eq!(games.len(), 140);
    let transcripts = Transcripts::open(&folder.join("transcripts.jsonl.zst")).unwrap();
    let of_split = transcripts.filter(|transcript| {
        transcript
            .as_ref()
            .is_ok_and(|t| t.game.split() == Some(Split::ValidSeen))
    });
    let replayed = Replay::new(&games).run(of_split).unwrap();
    println!(
        "replayed {} steps in {} games: {} mismatches",
        replayed.steps, replayed.episodes, replayed.mismatches
    );
    assert_eq!(replayed.mismatches, 0, "{:#?}", replayed.first);
    assert!(replayed.episodes >= 280 && replayed.steps > 4000);
}

#[test]
fn an_agent_wins_with_the_walkthrough() {
    let Some(folder) = needs::shared("alfworld") else {
        return;
    };
    let games = Collection::open_split(&folder.join("games.tar.zst"), Split::ValidSeen).unwrap();
    let mut kinds = Vec::new();
    for id in games.ids().step_by(7) {
        let game = Arc::new(games.load(id).unwrap());
        assert_eq!(game.solvable(), Some(true));
        kinds.push(id.task_type().unwrap());
        let mut world = AlfworldEnvironment::new(Arc::clone(&game));
        let opening = world.reset().unwrap();
        assert_eq!(
            opening.observation, "You are in the middle of a room.",
            "{id}"
        );
        assert!(
            !opening.task.ends_with('.') && !opening.scene.is_empty(),
            "{id}"
        );
        let outcomes: Vec<_> = game
            .walkthrough()
            .iter()
            .map(|command| world.step(command).unwrap())
            .collect();
        assert!(
            outcomes
                .iter()
                .all(|outcome| !outcome.invalid && !outcome.observation.contains('\n')),
            "{id}"
        );
        assert!(outcomes.last().unwrap().won, "{id}");
        assert!(
            world.step("look").is_err(),
            "an episode that is over takes no step"
        );
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert!(kinds.len() >= 4, "{kinds:?}");
}
