//! The generated games: solvable, and the same for the same seed.

use std::sync::Arc;

use stride_agent::environment::Environment;
use stride_environments::alfworld::{Game, Session, TaskType};
use stride_environments::household::{Household, HouseholdEnvironment, Wish};

#[test]
fn a_thousand_seeds_are_won_by_their_walkthrough() {
    for seed in 0..1000 {
        let household = Household::new(seed);
        let json = serde_json::to_vec(&household.to_game_file()).unwrap();
        let game = Arc::new(Game::from_json(&json).unwrap());
        let mut session = Session::new(Arc::clone(&game));
        session.reset().unwrap();
        assert!(
            !session.is_won().unwrap(),
            "seed {seed} is won before it starts"
        );
        for command in game.walkthrough() {
            let admissible = session.admissible().unwrap();
            assert!(
                admissible.contains(command),
                "seed {seed}: {command} is not in {admissible:#?}"
            );
            session.step(command).unwrap();
        }
        assert!(
            session.is_won().unwrap(),
            "seed {seed} ({}): {:?}",
            household.task(),
            game.walkthrough()
        );
    }
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    for seed in [0, 1, 41, u64::MAX] {
        let make = || serde_json::to_string(&Household::new(seed).to_game_file()).unwrap();
        assert_eq!(make(), make());
    }
    let other = |seed| serde_json::to_string(&Household::new(seed).to_game_file()).unwrap();
    assert_ne!(other(1), other(2));
}

#[test]
fn every_task_type_can_be_asked_for() {
    for task in TaskType::ALL {
        for seed in 0..20 {
            assert_eq!(
                Household::with_wish(seed, Wish { task: Some(task) }).task_type(),
                task
            );
        }
    }
}

#[test]
fn an_agent_plays_it_like_alfworld() {
    let mut world = HouseholdEnvironment::with_wish(
        3,
        Wish {
            task: Some(TaskType::PickHeatThenPlaceInRecep),
        },
    );
    assert!(world.step("look").is_err());
    let opening = world.reset().unwrap();
    assert_eq!(opening.observation, "You are in the middle of a room.");
    assert!(opening.scene.contains("microwave 1"), "{}", opening.scene);
    assert!(
        opening.task.contains("heat") || opening.task.contains("hot"),
        "{}",
        opening.task
    );
    let outcome = world.step("dance").unwrap();
    assert!(outcome.invalid && !outcome.done);
    assert_eq!(outcome.observation, "Nothing happens.");
    let outcome = world.step("go to microwave 1").unwrap();
    assert!(
        outcome
            .observation
            .starts_with("You arrive at microwave 1. The microwave 1 is "),
        "{}",
        outcome.observation
    );
    let walkthrough = world.household().to_game_file().walkthrough.unwrap();
    world.reset().unwrap();
    let last = walkthrough
        .iter()
        .map(|command| world.step(command).unwrap())
        .last()
        .unwrap();
    assert!(last.won && last.done);
    assert_eq!((last.reward, last.score), (1.0, 1.0));
}
