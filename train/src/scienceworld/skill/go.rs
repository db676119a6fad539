//! `go to the ROOM`: opens doors and walks the shortest way. Its progress is the route so far (method section 8, mode B).

use stride_environments::scienceworld::view::View;

use super::{Action, Skill, noted};
use crate::scienceworld::house;

/// What the progress calls the rooms so far.
const ROUTE: &str = "Route";

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Go {
    room: String,
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(room: &str) -> String {
    format!("go to the {room}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Go> {
    let room = subtask.strip_prefix("go to the ")?;
    house::ROOMS.contains(&room).then(|| Go {
        room: room.to_owned(),
    })
}

/// The next action on a shortest way: a door is opened or gone through; `None` when the agent is there.
#[must_use]
pub fn step(view: &View, room: &str) -> Option<String> {
    let next = house::next_room(&view.room, room)?;
    Some(if view.door(next) == Some(false) {
        format!("open door to {next}")
    } else {
        format!("go to {next}")
    })
}

impl Skill for Go {
    fn act(&self, view: &View, _progress: &str) -> Action {
        match step(view, &self.room) {
            None => Action::give_back(),
            Some(command) if command == format!("go to {}", self.room) => Action::finish(command),
            Some(command) => Action::go_on(command),
        }
    }

    fn rewrite(&self, view: &View, progress: &str, _action: &str) -> String {
        let route = match noted(progress, ROUTE) {
            // A room is appended only when it was really entered.
            Some(route) if route.rsplit(" -> ").next() == Some(view.room.as_str()) => {
                route.to_owned()
            }
            Some(route) => format!("{route} -> {}", view.room),
            None => view.room.clone(),
        };
        let whereabouts = if view.room == self.room {
            format!("Now in the {}.", view.room)
        } else {
            format!("In the {}, on the way to the {}.", view.room, self.room)
        };
        format!("{whereabouts} || [{ROUTE}: {route}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_and_writes_the_route() {
        let go = read("go to the kitchen").unwrap();
        let closed = View::read("bedroom: bed [] | doors: hallway closed | holding: nothing");
        assert_eq!(
            go.act(&closed, "None").to_string(),
            "open door to hallway; False"
        );
        let first = go.rewrite(&closed, "None", "open door to hallway");
        assert_eq!(
            first,
            "In the bedroom, on the way to the kitchen. || [Route: bedroom]"
        );
        let hall = View::read(
            "You move to the hallway. | hallway: picture | doors: kitchen open | holding: nothing",
        );
        let second = go.rewrite(&hall, &first, "go to hallway");
        assert_eq!(
            second,
            "In the hallway, on the way to the kitchen. || [Route: bedroom -> hallway]"
        );
        assert_eq!(go.act(&hall, &second).to_string(), "go to kitchen; True");
        assert_eq!(go.rewrite(&hall, &second, "open door to kitchen"), second);
        assert!(read("go to the moon").is_none());
    }
}
