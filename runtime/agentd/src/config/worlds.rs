//! The environments that an operator names.

use stride_environments::world::WorldSpec;

use super::{Config, ConfigError, refuse};
use crate::episodes::environments;

impl Config {
    pub(super) fn check_environments(&self) -> Result<(), ConfigError> {
        for (name, spec) in &self.environments {
            if !environments::is_name(name) {
                let problem = "a name has 1 to 32 ASCII letters, digits, `-` and `_`";
                return Err(refuse("environments", name, problem));
            }
            // Its commands have other forms, so none of them could be said.
            if self.constrain && matches!(spec, WorldSpec::ScienceWorld { .. }) {
                let problem = "the templates of `constrain` are not the commands of this world";
                return Err(refuse("environments", format!("{name}: {spec}"), problem));
            }
        }
        Ok(())
    }
}
