//! Environments that the deployment names.

use stride_client::ClientError;
use stride_client::episodes::RunEpisode;
use stride_environments::world::{self, WorldSpec};

use crate::episodes::{actions, wish};
use crate::needs::shared;
use crate::play::without_daemon;
use crate::support::Place;

#[test]
fn environments_are_listed_and_those_that_are_not_named_are_not_there() {
    let settings = "[limits]\nepisodes = 2\n[environments]\nrooms = 'household:20..29'\ngone = 'alfworld:/nowhere/at/all'\n";
    let mut place = Place::new().with_settings(settings).started();
    let (client, once) = (place.client(), place.client_once());
    let list = client.environments().unwrap();
    let named = list.environments.iter();
    let named: Vec<_> = named.map(|it| (&*it.name, it.games)).collect();
    assert_eq!(named, [("gone", None), ("rooms", Some(9))]);
    assert_eq!((list.max_steps, list.episodes), (50, 2));
    let short = |id: &str, environment: &str| RunEpisode {
        max_steps: Some(1),
        ..wish(id, environment)
    };
    let code = |environment: &str| match once.run_episode(&short("a", environment)) {
        Err(ClientError::Refused {
            status,
            code,
            message,
            ..
        }) => (status, code, message),
        other => panic!("{other:?}"),
    };
    assert_eq!(code("household:1").1, "no_environment");
    assert_eq!(code("rooms:9").1, "no_game");
    let (status, failed, message) = code("gone:0");
    assert_eq!((status, &*failed), (503, "environment_failed"));
    // Files are the operator's affair.
    assert!(!message.contains("nowhere"), "{message}");
    assert!(place.log().contains("/nowhere/at/all"));
    let episode = client.run_episode(&short("b", "rooms:3")).unwrap();
    assert_eq!(episode.begun.game, "household:23");
    assert_eq!(episode.begun.environment, "rooms:3");
    assert_eq!(place.metric("stride_episodes_total{reason=\"error\"}"), 1.0);
    assert!(place.stop());
}

#[test]
fn no_environments_and_no_episodes_can_be_wished() {
    let place = Place::new()
        .with_settings("[limits]\nepisodes = 0\n[environments]\n")
        .started();
    let once = place.client_once();
    assert!(once.environments().unwrap().environments.is_empty());
    let refused = once.run_episode(&wish("a", "household:1")).unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 404, .. }));
    let closed = Place::new()
        .with_settings("[limits]\nepisodes = 0\n")
        .started();
    let refused = closed.client_once().run_episode(&wish("a", "household:1"));
    assert!(matches!(
        refused,
        Err(ClientError::Refused { status: 429, .. })
    ));
}

/// A game of ALFWorld's, in an archive that only the operator names.
#[test]
fn an_alfworld_episode_is_that_of_the_library() {
    let Some(archive) = shared("alfworld/games.tar.zst") else {
        return;
    };
    let spec = format!("alfworld:{}:valid_seen", archive.display());
    let settings = format!("[environments]\nseen = '{spec}'\n");
    let mut place = Place::new().with_settings(&settings).started();
    let games = world::open(&spec.parse::<WorldSpec>().unwrap()).unwrap();
    let listed = place.client().environments().unwrap();
    assert_eq!(listed.environments[0].games, Some(games.len() as u64));
    for game in [0, games.len() - 1] {
        let wanted = RunEpisode {
            max_steps: Some(15),
            ..wish(&format!("seen-{game}"), &format!("seen:{game}"))
        };
        let episode = place.client().run_episode(&wanted).unwrap();
        let label = games.label(game);
        assert_eq!(
            (&episode.begun.game, &episode.begun.task_type),
            (&label.id, &label.task_type)
        );
        let (report, expected) = without_daemon(&mut *games.open(game).unwrap(), 15);
        assert_eq!(actions(&episode), expected);
        assert_eq!(f64::from(episode.score), f64::from(report.score));
    }
    assert!(place.stop());
}
