//! The steps that were made lately, in memory only: for people who watch, not for programs that must not miss one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stride_client::api::StepAnswer;
use stride_client::observe::{MadeStep, MadeSteps};

use crate::store::AgentId;

/// Steps that are remembered, of all agents together; about a megabyte when every text is as long as it can be.
pub const REMEMBERED: usize = 1024;

/// The last [`REMEMBERED`] steps.
#[derive(Debug, Default)]
pub struct Recent {
    steps: Mutex<VecDeque<MadeStep>>,
}

impl Recent {
    /// Takes in a step that was answered just now, `took` after its request.
    pub fn add(&self, agent: AgentId, answer: &StepAnswer, took: Duration) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut steps = self.lock();
        let number = steps.back().map_or(0, |step| step.number) + 1;
        if steps.len() >= REMEMBERED {
            steps.pop_front();
        }
        steps.push_back(MadeStep {
            number,
            agent: agent.to_string(),
            at: at.map_or(0, |at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX)),
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            answer: answer.clone(),
        });
    }

    /// The newest of the steps behind the number `after`, of one agent or of all, at most `limit`, oldest first.
    #[must_use]
    pub fn after(&self, after: u64, agent: Option<&AgentId>, limit: usize) -> MadeSteps {
        let steps = self.lock();
        let wanted = |step: &&MadeStep| agent.is_none_or(|agent| agent.as_str() == step.agent);
        let mut newest: Vec<_> = steps
            .iter()
            .rev()
            .take_while(|step| step.number > after)
            .filter(wanted)
            .take(limit)
            .cloned()
            .collect();
        newest.reverse();
        MadeSteps {
            steps: newest,
            last: steps.back().map_or(0, |step| step.number),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<MadeStep>> {
        // No code that runs under the lock leaves it half changed.
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use stride_client::api::{StepFlags, Tokens};

    use super::*;

    fn answer(step: u32) -> StepAnswer {
        StepAnswer {
            request_id: step.to_string(),
            step,
            subtask: "wait".into(),
            action: Some("look".into()),
            progress: String::new(),
            flags: StepFlags::default(),
            tokens: Tokens::default(),
            micros: 1,
        }
    }

    #[test]
    fn the_newest_are_kept_and_told_in_order() {
        let recent = Recent::default();
        assert_eq!(recent.after(0, None, 10).last, 0);
        let (even, odd): (AgentId, AgentId) = ("even".parse().unwrap(), "odd".parse().unwrap());
        for n in 1..=3000 {
            let agent = if n % 2 == 0 { even } else { odd };
            recent.add(agent, &answer(n), Duration::from_micros(7));
        }
        let all = recent.after(0, None, usize::MAX);
        assert_eq!((all.steps.len(), all.last), (REMEMBERED, 3000));
        let numbers: Vec<_> = all.steps.iter().map(|step| step.number).collect();
        assert_eq!(
            numbers,
            (3001 - REMEMBERED as u64..=3000).collect::<Vec<_>>()
        );
        let told = |after, agent, limit| -> Vec<u64> {
            let told = recent.after(after, agent, limit).steps;
            told.iter().map(|step| step.number).collect()
        };
        assert_eq!(told(2997, None, 10), [2998, 2999, 3000]);
        assert_eq!(told(2997, None, 2), [2999, 3000]);
        assert_eq!(told(2996, Some(&odd), 10), [2997, 2999]);
        assert_eq!(told(3000, None, 10), [0; 0]);
        assert_eq!(told(u64::MAX, None, 10), [0; 0]);
    }
}
