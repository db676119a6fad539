//! Demonstrations: the expert plays, and every frame becomes a transition.
//!
//! Each game is played once by the expert itself (records that pass the round-trip checks of method section 13) and any number
//! of times by a policy that errs on purpose, whose frames are labelled by the expert.

use stride_agent::agent::Limits;
use stride_agent::environment::Environment;
use stride_agent::episode::{self, EpisodeError, EpisodeReport};
use stride_agent::policy::{Policy, PolicyError};
use stride_agent::recorder::Recorder;
use stride_agent::transition::{EndKind, FrameText, Source, Transition};
use stride_firmware_config::frame::StepFrame;

/// A policy that can label any frame of its world: a program whose levels are functions of the frame.
pub trait Teacher: Policy + Clone {
    /// The right utterance for this frame.
    ///
    /// # Errors
    /// When the frame is not one of the teacher's world.
    fn label(&self, frame: &StepFrame<'_>) -> Result<String, PolicyError>;
}

/// Why demonstrations of a game could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The episode could not be played.
    #[error("{game}: {source}")]
    Episode {
        /// Which game.
        game: String,
        /// Why.
        source: EpisodeError,
    },
    /// A frame could not be labelled.
    #[error("{game}: {source}")]
    Label {
        /// Which game.
        game: String,
        /// Why.
        source: PolicyError,
    },
    /// A record of the expert does not add up.
    #[error("{game}: the expert's record breaks an invariant: {what}")]
    Invariant {
        /// Which game.
        game: String,
        /// Which invariant, with the numbers.
        what: String,
    },
}

/// One episode and its transitions.
#[derive(Debug, Clone)]
pub struct Demo {
    /// How the episode went.
    pub report: EpisodeReport,
    /// Its transitions.
    pub transitions: Vec<Transition>,
}

/// Plays one game with the expert and checks the record.
///
/// # Errors
/// [`DemoError`] when the game fails, or when the record of a won episode breaks an invariant.
pub fn expert_episode<T: Teacher>(
    game: &str,
    environment: &mut dyn Environment,
    expert: &T,
    max_actions: u32,
) -> Result<Demo, DemoError> {
    let mut expert = expert.clone();
    let demo = record(game, environment, &mut expert, Source::Expert, max_actions)?;
    check(game, &demo)?;
    Ok(demo)
}

/// Lets any policy play, and labels every frame that it reached by the expert (DAgger).
///
/// # Errors
/// [`DemoError`] when the game fails or a frame cannot be labelled.
pub fn relabelled_episode<T: Teacher>(
    game: &str,
    environment: &mut dyn Environment,
    behaviour: &mut dyn Policy,
    expert: &T,
    max_actions: u32,
) -> Result<Demo, DemoError> {
    let mut demo = record(
        game,
        environment,
        behaviour,
        Source::Relabelled,
        max_actions,
    )?;
    for transition in &mut demo.transitions {
        transition.utterance = expert
            .label(&transition.state.as_frame())
            .map_err(|source| DemoError::Label {
                game: game.to_owned(),
                source,
            })?;
    }
    Ok(demo)
}

fn record<P: Policy + ?Sized>(
    game: &str,
    environment: &mut dyn Environment,
    policy: &mut P,
    source: Source,
    max_actions: u32,
) -> Result<Demo, DemoError> {
    let mut recorder = Recorder::new(game, source);
    let (report, agent) = episode::play(
        environment,
        policy,
        &Limits::default(),
        max_actions,
        &mut recorder,
    )
    .map_err(|source| DemoError::Episode {
        game: game.to_owned(),
        source,
    })?;
    let transitions = recorder.finish(report.end, agent.state());
    Ok(Demo {
        report,
        transitions,
    })
}

/// The round-trip checks of method section 13, for episodes that the expert won.
fn check(game: &str, demo: &Demo) -> Result<(), DemoError> {
    if demo.report.end != EndKind::Success {
        return Ok(());
    }
    let of =
        |wanted: fn(&FrameText) -> bool| demo.transitions.iter().filter(move |t| wanted(&t.state));
    let high = || of(|s| matches!(s, FrameText::High { .. }));
    let low = || of(|s| matches!(s, FrameText::Low { .. }));
    let progress = of(|s| matches!(s, FrameText::Progress { .. })).count();
    let reward: f32 = high().map(|t| t.reward).sum();
    let spans: u32 = high().map(|t| t.span).sum();
    let finished = low().filter(|t| t.reward >= 1.0).count();
    let steps = demo.report.steps as usize;
    let complaint = if (reward - demo.report.score).abs() > 1e-6 {
        format!(
            "high rewards sum to {reward}, the score is {}",
            demo.report.score
        )
    } else if finished != demo.report.subtasks as usize {
        format!("{finished} finished subtasks of {}", demo.report.subtasks)
    } else if progress + 1 != steps || low().count() != steps || spans as usize != steps {
        format!("{progress} progress texts and spans of {spans} for {steps} actions")
    } else {
        return Ok(());
    };
    Err(DemoError::Invariant {
        game: game.to_owned(),
        what: complaint,
    })
}
