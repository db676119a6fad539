//! Agents whose time is over, and those that are made anew meanwhile.

use std::fs;
use std::time::Duration;

use stride_client::api::CreateAgent;

use crate::support::Place;

/// As many as are deleted in one go.
const AGENTS: usize = 256;

const MAKERS: usize = 8;

fn make(place: &Place, latest_first: bool) {
    let mut ids: Vec<_> = (0..AGENTS).map(|n| format!("agent-{n:03}")).collect();
    if latest_first {
        ids.reverse();
    }
    std::thread::scope(|scope| {
        for maker in 0..MAKERS {
            let (client, ids) = (place.client(), &ids);
            scope.spawn(move || {
                for id in ids.iter().skip(maker).step_by(MAKERS) {
                    let agent = CreateAgent {
                        id: Some(id.clone()),
                        task: "put a fork in countertop".into(),
                        ..CreateAgent::default()
                    };
                    assert_eq!(client.create(&agent).unwrap().id, *id);
                }
            });
        }
    });
}

#[test]
fn an_agent_that_is_made_anew_while_its_namesake_is_deleted_stays() {
    let place = Place::new();
    let profile = place.path("profile.toml");
    fs::write(&profile, "[agents]\nexpire_seconds = 1\n").unwrap();
    let mut place = place
        .with(&["--profile", profile.to_str().unwrap(), "--threads", "1"])
        .started();
    make(&place, false);
    assert!(place.stop());
    std::thread::sleep(Duration::from_millis(2500));

    // The first that the daemon does is to delete them; the clients come at the same time, the last agent first.
    place.spawn();
    make(&place, true);
    let deleted = || place.metric("stride_agents_evicted_total{reason=\"expired\"}");
    let mut before = f64::NAN;
    while deleted() != before {
        before = deleted();
        std::thread::sleep(Duration::from_millis(500));
    }
    let client = place.client_once();
    let lost = (0..AGENTS).filter(|n| client.get(&format!("agent-{n:03}")).is_err());
    let lost: Vec<_> = lost.collect();
    assert!(
        lost.is_empty(),
        "{} of {AGENTS} acknowledged agents are gone ({before} were deleted): {lost:?}",
        lost.len()
    );
    assert_eq!(client.list(None).unwrap().total as usize, AGENTS);
}
