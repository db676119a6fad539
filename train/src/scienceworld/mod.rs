//! The expert of ScienceWorld: a program behind the same [`Policy`] trait as a network.
//!
//! As in the household worlds each level is a function of its frame and of nothing else. The plan of a task is reactive: the
//! next subtask follows from where things are now and from what was issued before, so the expert can take over from any
//! state and label every frame.
//!
//! | module | holds |
//! |---|---|
//! | [`situation`] | what the high level sees |
//! | [`episodes`] | demonstrations against the simulator |
//! | [`held_out`] | held-out variations played in training |
//! | [`families`] | one plan per task family |
//! | [`skill`] | what the low level does in a subtask, and what the progress says of it |
//! | [`house`] | the rooms and the shortest ways between them |
//! | [`noise`] | the same expert with errors on purpose |
//! | [`variants`] | more frames from recorded ones, with names exchanged |
//! | [`recall`] | exercises that ask where things are |
//! | [`drills`] | decisions that the demonstrations hold too few of |
//! | [`words`] | names that nobody knows |

use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_environments::scienceworld::view::View;
use stride_firmware_config::frame::{NO_PROGRESS, StepFrame};

pub mod drills;
pub mod episodes;
pub mod families;
pub mod held_out;
pub mod house;
mod lost;
mod moved;
pub mod noise;
mod placed;
pub mod recall;
pub mod situation;
pub mod skill;
pub mod variants;
pub mod words;

use crate::demos::Teacher;
use situation::Situation;
use skill::Action;

/// The frame is not one of ScienceWorld.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpertError {
    /// The task instruction is of no known family.
    #[error(
        "the expert does not know the task `{0}`; it plays the 24 tasks of the paper's protocol"
    )]
    Task(String),
}

/// The expert. See the module's text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expert;

impl Expert {
    /// What the expert says to a frame, by any level.
    ///
    /// # Errors
    /// [`ExpertError`] when the task is unknown. Unreadable subtasks are given back at once.
    pub fn answer(&self, frame: &StepFrame<'_>) -> Result<String, ExpertError> {
        let view = View::read(frame.observation());
        // What the layout writes for an empty progress.
        let or_none = |progress| match progress {
            "" => NO_PROGRESS,
            progress => progress,
        };
        Ok(match *frame {
            StepFrame::High {
                task,
                completed,
                progress,
                ..
            } => families::next(task, &Situation::new(view, completed, progress))
                .ok_or_else(|| ExpertError::Task(task.to_owned()))?,
            StepFrame::Low {
                subtask, progress, ..
            } => act(&view, subtask, or_none(progress)).to_string(),
            StepFrame::Progress {
                subtask,
                progress,
                action,
                ..
            } => skill::read(subtask).map_or_else(
                || skill::said(&view),
                |skill| skill.rewrite(&view, or_none(progress), action),
            ),
        })
    }
}

fn act(view: &View, subtask: &str, progress: &str) -> Action {
    if view.feedback.starts_with(skill::AMBIGUOUS) {
        return Action::go_on("0");
    }
    match skill::read(subtask) {
        Some(skill) => skill.act(view, progress),
        None => Action::give_back(),
    }
}

impl Teacher for Expert {
    fn label(&self, frame: &StepFrame<'_>) -> Result<String, PolicyError> {
        self.answer(frame).map_err(PolicyError::new)
    }
}

impl Policy for Expert {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        self.answer(frame)
            .map(Utterance::free)
            .map_err(PolicyError::new)
    }
}

#[cfg(test)]
mod tests {
    use rand::seq::IndexedRandom as _;
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;
    use stride_firmware_config::state::Completed;

    use super::*;

    fn low(subtask: &str, observation: &str) -> String {
        let frame = StepFrame::Low {
            scene: "",
            observation,
            subtask,
            progress: "",
        };
        Expert.answer(&frame).unwrap()
    }

    #[test]
    fn what_is_unknown_is_refused_or_given_back() {
        let completed = Completed::new();
        let frame = StepFrame::High {
            scene: "",
            observation: "kitchen: chair [] | doors: hallway open | holding: nothing",
            task: "conquer the world",
            completed: &completed,
            progress: "",
        };
        let error = Expert.answer(&frame).unwrap_err();
        assert!(error.to_string().contains("`conquer the world`"), "{error}");
        assert_eq!(low("dance", "not a view"), "look around; True");
        let frame = StepFrame::Progress {
            scene: "",
            observation: "You dance. | kitchen: chair [] | doors:  | holding: nothing",
            subtask: "dance",
            progress: "",
            action: "dance",
        };
        assert_eq!(Expert.answer(&frame).unwrap(), "You dance.");
    }

    #[test]
    fn a_question_is_answered_by_number() {
        let observation = "Ambiguous request: Please enter the number for the action you intended (or blank to cancel): 0: focus \
            on ice 1: focus on ice | kitchen: ice | doors:  | holding: nothing";
        assert_eq!(low("focus on ice", observation), "0; False");
    }

    /// Every text of the program's own, to be mangled.
    const TEXTS: [&str; 30] = [
        "go to the kitchen",
        "focus on ice",
        "pick up metal pot from the cupboard",
        "move ice to metal pot",
        "wire battery, red light bulb and apricot in a circuit",
        "mix soap, salt and water in glass cup",
        "drop ice",
        "dunk metal pot into fountain",
        "measure metal fork against 100.0 degrees",
        "find and take ice",
        "melt ice in metal pot with the oven",
        "turn on the sink and wait until apple tree is reproducing",
        "wait until apple tree bears fruit, then focus on it",
        "plant apple seed in flower pot 1 and put it in the sink",
        "fill flower pot 1 and flower pot 2 with soil",
        "wait until tadpole appears, then focus on tadpole common toad",
        "wait until apple tree is adult, then focus on it",
        "find a(n) plant. First, focus on the thing. Then, move it to the red box in the kitchen.",
        "measure the melting point of lead, which is located around the kitchen. If it is above 50.0 degrees celsius, focus on \
            the red box. If it is below 50.0 degrees celsius, focus on the blue box. The boxes are located around the kitchen.",
        "boil water. For compounds without a boiling point, combusting the substance is also acceptable.",
        "determine if apricot is electrically conductive. The apricot is located around the kitchen. If it is electrically \
            conductive, place it in the red box. If it is electrically nonconductive, place it in the green box.",
        "turn on the red light bulb. First, focus on the red light bulb. Then, create an electrical circuit.",
        "use chemistry to create green-blue paint. When you are part-way done, focus on the paint.",
        "use chemistry to create the substance 'blue paper'. A recipe might be found near the kitchen. When done, focus on it.",
        "grow a apple. This will require growing several plants. Seeds can be found in the kitchen. To complete it, focus.",
        "focus on the 4 life stages of the turtle, starting from earliest to latest.",
        "find the animal with the longest life span, then the shortest life span. First, focus on it.",
        "terminal 1 on red wire is now connected to anode on battery | workshop: red light bulb off; table [battery, red wire, \
            tan wire] | doors: hallway closed | holding: orange apricot",
        "the thermometer measures a temperature of 101 degrees celsius | kitchen: cupboard open [metal pot [liquid lead]]; oven \
            on open []; sink off [flower pot 1 [apple tree adult [red apple], soil]] | doors: hallway open | holding: metal \
            fork, seed jar [apple seed]",
        "The ice is nowhere yet. || [Checked: fridge] || [Route: kitchen -> hallway] || [Connections: battery - \
            red wire - battery]",
    ];

    /// One of the texts with a few cuts, repetitions and foreign characters.
    fn mangled(rng: &mut ChaCha8Rng) -> String {
        let mut letters: Vec<char> = TEXTS.choose(rng).unwrap().chars().collect();
        for _ in 0..rng.random_range(0..4) {
            let at = rng.random_range(0..=letters.len());
            let to = rng.random_range(at..=letters.len());
            match rng.random_range(0..4) {
                0 => drop(letters.drain(at..to)),
                1 => letters.truncate(to),
                2 => letters.extend_from_within(at..to),
                _ => letters.insert(
                    at,
                    *['\u{e9}', '\u{1f600}', '[', ']', '|', ' ']
                        .choose(rng)
                        .unwrap(),
                ),
            }
        }
        letters.into_iter().collect()
    }

    #[test]
    fn no_text_makes_it_panic() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut known, mut acted) = (0, 0);
        for _ in 0..30_000 {
            let [observation, text, progress, action] = std::array::from_fn(|_| mangled(&mut rng));
            let mut completed = Completed::new();
            for _ in 0..rng.random_range(0..10) {
                completed.push(&mangled(&mut rng), 8);
            }
            let high = StepFrame::High {
                scene: "",
                observation: &observation,
                task: &text,
                completed: &completed,
                progress: &progress,
            };
            known += u32::from(Expert.answer(&high).is_ok());
            let said = low(&text, &observation);
            acted += u32::from(said != "look around; True");
            let frame = StepFrame::Progress {
                scene: "",
                observation: &observation,
                subtask: &text,
                progress: &progress,
                action: &action,
            };
            assert!(Expert.answer(&frame).is_ok());
        }
        // Enough texts keep so much of their form that they reach the code behind it (5656 and 4776 of them did).
        assert!(known > 5_000 && acted > 4_000, "{known} {acted}");
    }
}
