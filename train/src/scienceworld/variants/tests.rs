//! Names are exchanged everywhere, labels follow, and what must stay stays.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;

fn low(observation: &str, subtask: &str) -> Transition {
    Transition {
        game: "scienceworld:find-animal/0".into(),
        ..Transition::for_cloning(
            FrameText::Low {
                scene: String::new(),
                observation: observation.into(),
                subtask: subtask.into(),
                progress: String::new(),
            },
            String::new(),
        )
    }
}

#[test]
fn names_are_exchanged_everywhere_and_the_label_follows() {
    let step = low(
        "kitchen: red apple; red box []; green box [] | doors: hallway open | holding: blue jay egg",
        "move blue jay egg to red box",
    );
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let varied = vary(std::slice::from_ref(&step), &mut rng).remove(0);
        let FrameText::Low {
            observation,
            subtask,
            ..
        } = &varied.state
        else {
            panic!("the level changed");
        };
        let colour = subtask.split(' ').nth(5).unwrap();
        assert!(
            observation.contains(&format!("{colour} box []")),
            "{observation}"
        );
        assert!(observation.contains("red apple"), "{observation}");
        assert_eq!(varied.utterance, format!("{subtask}; True"));
        seen.insert(colour.to_owned());
    }
    assert!(seen.len() > 4, "{seen:?}");
}

#[test]
fn the_thing_of_a_task_gets_another_name() {
    let high = Transition {
        state: FrameText::High {
            scene: String::new(),
            observation: "kitchen: apricot; apricots | doors: hallway open | holding: nothing".into(),
            task: "determine if apricot is electrically conductive. The apricot is located around the kitchen. First, \
                focus on the apricot. If it is electrically conductive, place it in the red box. If it is \
                electrically nonconductive, place it in the green box."
                .into(),
            completed: Box::default(),
            progress: String::new(),
        },
        ..low("", "")
    };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let said = vary(std::slice::from_ref(&high), &mut rng).remove(0);
    let FrameText::High {
        observation, task, ..
    } = &said.state
    else {
        panic!("the level changed");
    };
    // The new name may begin as the old one does.
    assert!(!task.contains("determine if apricot is"), "{task}");
    assert!(observation.contains("; apricots |"), "{observation}");
}

#[test]
fn what_paint_is_mixed_from_follows_its_colour() {
    let task = "use chemistry to create red-orange paint. When you are part-way done, focus on the intermediate \
        (secondary color) paint you created. When you are completely done, focus on the red paint.";
    let high = Transition {
        state: FrameText::High {
            scene: String::new(),
            observation:
                "art studio: table [jug []]; wood cup [red paint] | doors:  | holding: orange"
                    .into(),
            task: task.into(),
            completed: Box::default(),
            progress: String::new(),
        },
        ..low("", "")
    };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut said = BTreeSet::new();
    for _ in 0..40 {
        let varied = vary(std::slice::from_ref(&high), &mut rng).remove(0);
        let frame = varied.state.as_frame();
        assert!(
            frame.observation().ends_with("holding: orange"),
            "the fruit keeps its name"
        );
        said.insert(varied.utterance);
    }
    let expected = [
        "mix blue paint and yellow paint in jug",
        "mix red paint and blue paint in jug",
        "mix red paint and yellow paint in jug",
    ];
    assert!(said.iter().eq(&expected), "{said:?}");
}

#[test]
fn animals_become_others_of_those_known() {
    let high = Transition {
        state: FrameText::High {
            scene: String::new(),
            observation: "outside: baby ant; parrot egg; wood | doors:  | holding: nothing".into(),
            task: "find the animal with the longest life span. The animals are in the 'outside' location.".into(),
            completed: Box::default(),
            progress: String::new(),
        },
        ..low("", "")
    };
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let said: BTreeSet<String> = (0..200)
        .map(|_| {
            vary(std::slice::from_ref(&high), &mut rng)
                .remove(0)
                .utterance
        })
        .collect();
    assert!(
        said.len() > 8 && said.contains("focus on crocodile egg"),
        "{said:?}"
    );
}

#[test]
fn aims_move_to_other_rooms() {
    let step = low(
        "hallway: picture | doors: kitchen closed, bedroom open | holding: nothing",
        "go to the kitchen",
    );
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let said: std::collections::BTreeSet<String> = (0..60)
        .map(|_| {
            vary(std::slice::from_ref(&step), &mut rng)
                .remove(0)
                .utterance
        })
        .collect();
    assert!(said.contains("open door to kitchen; False"), "{said:?}");
    assert!(said.contains("go to bedroom; True"), "{said:?}");
}

#[test]
fn words_are_replaced_whole() {
    let names =
        [("apple", "tin"), ("tin", "pear")].map(|(old, new)| (old.to_owned(), new.to_owned()));
    assert_eq!(
        replace_words("apple; apples, red apple tin", &names),
        "tin; apples, red tin pear"
    );
    for (word, expected) in [
        ("box.", ("", "box", ".")),
        ("[10.0,", ("[", "10.0", ",")),
        ("||", ("||", "", "")),
        ("caf\u{e9}", ("", "caf", "\u{e9}")),
    ] {
        assert_eq!(bare(word), expected);
    }
    assert_eq!(
        named_in("boil . First, focus on the substance."),
        None,
        "an empty name is everywhere"
    );
}
