//! Games won by a policy in training: the in-loop measure of success, on held-out *training* games.

use std::sync::Arc;

use stride_agent::agent::Limits;
use stride_agent::episode;
use stride_agent::event::Silent;
use stride_agent::policy::Policy;
use stride_agent::transition::EndKind;
use stride_environments::alfworld::{AlfworldEnvironment, Collection, Game};

use crate::bc::metrics::SuccessReport;
use crate::data;

/// Held-out games, loaded once.
#[derive(Debug)]
pub struct HeldOutGames {
    games: Vec<Arc<Game>>,
    max_actions: u32,
}

impl HeldOutGames {
    /// The first `count` games of `collection` that training with this held-out share leaves out, in the order of their ids.
    /// Games that cannot be loaded are left out.
    #[must_use]
    pub fn new(
        collection: &Collection,
        held_out_share: f64,
        count: usize,
        max_actions: u32,
    ) -> Self {
        let games = collection
            .ids()
            .filter(|id| data::is_held_out(id.as_str(), held_out_share))
            .filter_map(|id| collection.load(id).ok())
            .take(count)
            .map(Arc::new)
            .collect();
        Self { games, max_actions }
    }

    /// Games in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.games.len()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.games.is_empty()
    }

    /// Plays every game. A game that cannot be played to its end counts as lost.
    pub fn play(&self, policy: &mut dyn Policy) -> SuccessReport {
        let mut report = SuccessReport::default();
        for game in &self.games {
            let mut world = AlfworldEnvironment::new(Arc::clone(game));
            let played = episode::play(
                &mut world,
                policy,
                &Limits::default(),
                self.max_actions,
                &mut Silent,
            );
            let (won, score) = played.map_or((false, 0.0), |(report, _)| {
                (report.end == EndKind::Success, report.score)
            });
            report.count(won, score);
        }
        report
    }
}
