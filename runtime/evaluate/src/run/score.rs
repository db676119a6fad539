//! Mean scores of a world that gives parts of its score.

use serde::Serialize;

use super::summary::by_task;
use crate::episode::Episode;
use crate::statistics::{Mean, bootstrap};

/// Mean scores in percent, with 95 % bootstrap intervals. Episodes that broke are left out.
///
/// Two protocols stand side by side: ours counts actions, the world's own counts its moves, of which an action may take
/// none or many.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// Over all episodes (micro average): the headline.
    pub mean: Mean,
    /// Over the means of the task types (macro average).
    pub task_mean: Mean,
    /// Task types that were played.
    pub tasks: usize,
    /// Over all episodes, where each stops counting at the world's own limit of moves; `None` for a world without one.
    pub at_move_limit: Option<Mean>,
    /// Over the means of the task types under that limit.
    pub task_mean_at_move_limit: Option<Mean>,
}

/// The scores of some episodes; `None` when none was judged.
pub(super) fn scores(episodes: &[Episode]) -> Option<Scores> {
    let of = |score: fn(&Episode) -> Option<f64>| -> Option<[Mean; 2]> {
        let groups = by_task(episodes);
        let groups: Vec<Vec<f64>> = groups
            .values()
            .map(|group| group.iter().filter_map(|episode| score(episode)).collect())
            .collect();
        let slices: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
        Some([bootstrap(&[&groups.concat()])?, bootstrap(&slices)?])
    };
    let [mean, task_mean] = of(|episode| Some(episode.score))?;
    let limited = of(|episode| episode.score_at_move_limit);
    Some(Scores {
        mean,
        task_mean,
        tasks: by_task(episodes).len(),
        at_move_limit: limited.map(|[mean, _]| mean),
        task_mean_at_move_limit: limited.map(|[_, task_mean]| task_mean),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::{End, Origin};
    use crate::world::GameLabel;

    fn episode(task_type: &str, end: End, score: f64, limited: Option<f64>) -> Episode {
        let label = GameLabel::new("g", task_type);
        Episode {
            end,
            score,
            score_at_move_limit: limited,
            ..Episode::broken(&label, Origin::World, String::new())
        }
    }

    #[test]
    fn micro_and_macro_means_leave_errors_out() {
        let broken = End::Error {
            origin: Origin::World,
            message: "the simulator died".into(),
        };
        let found = scores(&[
            episode("boil", End::Truncated, 20.0, Some(10.0)),
            episode("boil", End::Success, 100.0, Some(50.0)),
            episode("melt", End::Failure, 0.0, Some(0.0)),
            episode("melt", broken, 0.0, None),
        ])
        .unwrap();
        assert_eq!((found.mean.mean, found.tasks), (40.0, 2));
        assert_eq!(found.task_mean.mean, 30.0);
        assert_eq!(found.at_move_limit.unwrap().mean, 20.0);
        assert_eq!(found.task_mean_at_move_limit.unwrap().mean, 15.0);
        let interval = found.mean.interval;
        assert!(interval.low <= 40.0 && 40.0 <= interval.high);
        assert_eq!(scores(&[]), None);
    }
}
