//! Held-out training variations, played by the policy while it learns.

use stride_agent::agent::Limits;
use stride_agent::episode;
use stride_agent::event::Silent;
use stride_agent::policy::Policy;
use stride_agent::transition::EndKind;
use stride_environments::scienceworld::{
    self, EpisodeId, HARMLESS_ACTION, ScienceWorldEnvironment, Session, Settings, Split,
};

use super::episodes::game_name;
use crate::bc::metrics::SuccessReport;
use crate::data;

/// Variations that training with a held-out share leaves out, and the JVM that plays them.
#[derive(Debug)]
pub struct HeldOutVariations {
    ids: Vec<EpisodeId>,
    settings: Settings,
    session: Option<Session>,
    max_actions: u32,
}

impl HeldOutVariations {
    /// At most `count` of the training variations that are held out, spread evenly over the tasks.
    #[must_use]
    pub fn new(settings: Settings, held_out_share: f64, count: usize, max_actions: u32) -> Self {
        let all: Vec<EpisodeId> = scienceworld::episodes(Split::Train)
            .into_iter()
            .filter(|id| data::is_held_out(&game_name(*id), held_out_share))
            .collect();
        let count = count.min(all.len());
        Self {
            ids: (0..count).map(|i| all[i * all.len() / count]).collect(),
            settings,
            session: None,
            max_actions,
        }
    }

    /// Variations in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Plays every variation. One that cannot be played to its end counts as lost, with a score of 0.
    pub fn play(&mut self, policy: &mut dyn Policy) -> SuccessReport {
        let mut report = SuccessReport::default();
        for id in &self.ids {
            let session = self
                .session
                .take()
                .unwrap_or_else(|| Session::new(self.settings.clone()));
            let mut world = ScienceWorldEnvironment::new(session, *id);
            let limits = Limits {
                fallback_action: HARMLESS_ACTION.to_owned(),
                ..Limits::default()
            };
            let played = episode::play(&mut world, policy, &limits, self.max_actions, &mut Silent);
            self.session = Some(world.into_session());
            let (won, score) = played.map_or((false, 0.0), |(report, _)| {
                (report.end == EndKind::Success, report.score)
            });
            report.count(won, score);
        }
        report
    }
}
