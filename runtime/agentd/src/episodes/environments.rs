//! The environments of the deployment, by name. A client names one and a game of it by its number, never a path.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use stride_client::episodes::{self as api, ENVIRONMENT};
use stride_environments::world::{self, Games, WorldError, WorldSpec};

use super::error::EpisodeError;

/// What an operator names: environments and the worlds behind them.
pub type Named = BTreeMap<String, WorldSpec>;

/// The environments of a deployment that names none: a million household games.
#[must_use]
pub fn bundled() -> Named {
    let seeds = 0..world::MOST_SEEDS;
    Named::from([("household".to_owned(), WorldSpec::Household { seeds })])
}

/// The environments of the deployment.
#[derive(Debug)]
pub struct Environments(BTreeMap<String, Arc<Environment>>);

/// One of them. It is opened when it is first needed.
pub struct Environment {
    name: String,
    spec: WorldSpec,
    opened: Mutex<Option<Arc<dyn Games>>>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.spec)
    }
}

/// A game that was asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its environment.
    pub environment: Arc<Environment>,
    /// Its number; `None` for the only one.
    pub game: Option<u64>,
}

impl Wanted {
    /// As it is asked for.
    #[must_use]
    pub fn name(&self) -> String {
        let name = &self.environment.name;
        match self.game {
            Some(game) => format!("{name}:{game}"),
            None => name.clone(),
        }
    }

    /// Where it stands among the games of its environment.
    ///
    /// # Errors
    /// When it does not stand there.
    pub fn index(&self, games: &dyn Games) -> Result<usize, EpisodeError> {
        let index = match self.game {
            Some(game) => usize::try_from(game).ok(),
            None => (games.len() == 1).then_some(0),
        };
        let there = index.filter(|index| *index < games.len());
        there.ok_or_else(|| EpisodeError::NoGame {
            environment: self.environment.name.clone(),
            games: games.len(),
        })
    }
}

impl Environments {
    /// None of them is opened yet.
    #[must_use]
    pub fn new(named: &Named) -> Self {
        let environment = |(name, spec): (&String, &WorldSpec)| {
            let environment = Environment {
                name: name.clone(),
                spec: spec.clone(),
                opened: Mutex::default(),
            };
            (name.clone(), Arc::new(environment))
        };
        Self(named.iter().map(environment).collect())
    }

    /// The game that `NAME:GAME` or `NAME` names, as far as that can be said without opening the environment.
    ///
    /// # Errors
    /// When it is no such text, and when there is no such environment.
    pub fn find(&self, text: &str) -> Result<Wanted, EpisodeError> {
        let wrong = || EpisodeError::Invalid {
            field: "environment",
            problem: "write NAME:GAME, the name of an environment and the number of a game".into(),
        };
        let (name, game) = match text.split_once(':') {
            Some((name, game)) => (name, Some(game)),
            None => (text, None),
        };
        let digits = |game: &str| game.bytes().all(|byte| byte.is_ascii_digit());
        if !is_name(name) || game.is_some_and(|game| !digits(game)) {
            return Err(wrong());
        }
        let game = game.map(str::parse).transpose().map_err(|_| wrong())?;
        let environment = self.0.get(name);
        let environment =
            environment.ok_or_else(|| EpisodeError::NoEnvironment(name.to_owned()))?;
        Ok(Wanted {
            environment: Arc::clone(environment),
            game,
        })
    }

    /// All of them; those that were not are opened, which may take a while.
    #[must_use]
    pub fn describe(&self) -> Vec<api::Environment> {
        let environments = self.0.values().map(|environment| api::Environment {
            name: environment.name.clone(),
            games: environment
                .games()
                .map_err(|error| environment.report(&error))
                .ok()
                .map(|games| games.len() as u64),
        });
        environments.collect()
    }
}

impl Environment {
    /// Its games.
    ///
    /// # Errors
    /// When they cannot be found or listed.
    pub fn games(&self) -> Result<Arc<dyn Games>, WorldError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(games) = &*opened {
            return Ok(Arc::clone(games));
        }
        let games: Arc<dyn Games> = world::open(&self.spec)?.into();
        // ScienceWorld is quickly opened, and keeps the simulators of its episodes: these end with their episodes.
        if !matches!(self.spec, WorldSpec::ScienceWorld { .. }) {
            *opened = Some(Arc::clone(&games));
        }
        Ok(games)
    }

    /// Says in the log what is wrong with it; it may name files, which are no affair of a client.
    pub fn report(&self, error: &dyn std::error::Error) -> EpisodeError {
        let error = stride_agent::text::chain(error);
        tracing::error!(environment = self.name, error, "an environment failed");
        EpisodeError::World(self.name.clone())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Whether a text can be the name of an environment: 1 to [`ENVIRONMENT`] ASCII letters, digits, `-` and `_`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=ENVIRONMENT).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn games_are_found_by_name_and_number_only() {
        let environments = Environments::new(&bundled());
        let wanted = environments.find("household:7").unwrap();
        let games = wanted.environment.games().unwrap();
        assert_eq!(wanted.index(&*games).unwrap(), 7);
        assert_eq!(games.label(7).id, "household:7");
        for beyond in [
            "household",
            "household:1000000",
            "household:18446744073709551615",
        ] {
            let wanted = environments.find(beyond).unwrap();
            let refused = wanted.index(&*games).unwrap_err();
            assert!(matches!(refused, EpisodeError::NoGame { .. }), "{beyond}");
        }
        let absent = environments.find("kitchen:0").unwrap_err();
        assert!(matches!(absent, EpisodeError::NoEnvironment(_)));
        for text in [
            "",
            ":7",
            "household:",
            "household:-1",
            "household:0..9",
            "household:99999999999999999999",
            "alfworld:/etc/passwd",
            "alfworld:/data#0",
            "../household:0",
            "/etc",
            "scienceworld:boil/3",
        ] {
            let refused = environments.find(text);
            let invalid = matches!(refused, Err(EpisodeError::Invalid { .. }));
            assert!(invalid, "{text}");
        }
    }

    #[test]
    fn one_that_cannot_be_opened_has_no_number_of_games() {
        let mut named = bundled();
        named.insert("gone".into(), "alfworld:/nowhere/at/all".parse().unwrap());
        let described = Environments::new(&named).describe();
        let described: Vec<_> = described.iter().map(|it| (&*it.name, it.games)).collect();
        assert_eq!(described, [("gone", None), ("household", Some(1_000_000))]);
    }
}
