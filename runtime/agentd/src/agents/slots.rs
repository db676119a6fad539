//! Who is there, and whose turn it is.
//!
//! The rules of a full daemon, in this order:
//! 1. the agent whose episode ended longest ago makes room;
//! 2. else the agent that made no step for longest, if that is longer than `agents.idle_seconds` of the profile;
//! 3. else the new agent is refused.
//!
//! An agent in the middle of a step never makes room.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stride_client::api::AgentSummary;
use stride_firmware_config::profile::Agents as Rules;
use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

use crate::store::AgentId;

/// One agent in memory: a few words. Its record is on disk.
#[derive(Debug)]
pub struct Slot {
    gate: Arc<Gate<()>>,
    used_at: AtomicU64,
    ended: AtomicBool,
    gone: AtomicBool,
}

impl Slot {
    /// An agent that was last used at a time, in seconds since 1970.
    #[must_use]
    pub fn new(used_at: u64, ended: bool) -> Self {
        Self {
            gate: Arc::default(),
            used_at: AtomicU64::new(used_at),
            ended: AtomicBool::new(ended),
            gone: AtomicBool::new(false),
        }
    }

    /// Waits for the agent's turn; `None` when the agent was deleted meanwhile.
    pub async fn turn(&self) -> Option<Turn> {
        let turn = Turn(Arc::clone(&self.gate).lock_owned().await);
        (!self.gone.load(Ordering::Acquire)).then_some(turn)
    }

    /// Notes that the agent was used.
    pub fn used(&self, at: u64, ended: bool) {
        self.used_at.store(at, Ordering::Release);
        self.ended.store(ended, Ordering::Release);
    }

    /// The agent's turn, if nobody has it.
    pub(super) fn try_turn(&self) -> Option<Turn> {
        Arc::clone(&self.gate).try_lock_owned().ok().map(Turn)
    }

    fn used_at(&self) -> u64 {
        self.used_at.load(Ordering::Acquire)
    }

    fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn describe(&self, id: &AgentId) -> AgentSummary {
        AgentSummary {
            id: id.to_string(),
            ended: self.ended(),
            used_at: self.used_at(),
        }
    }
}

/// The right to read and write one agent's record, until it is dropped.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "held, not read")] OwnedMutexGuard<()>);

/// An agent that leaves: whoever asks for it is told that it is gone, and its id stays taken until its record is deleted.
#[derive(Debug)]
pub struct Leaving {
    /// Its id.
    pub id: AgentId,
    /// The rule that made it leave.
    pub rule: &'static str,
    slot: Arc<Slot>,
    #[allow(dead_code, reason = "held, not read")]
    turn: Turn,
}

/// What came of asking for a place.
#[derive(Debug)]
pub enum Place {
    /// There is an agent of this id.
    Taken(Arc<Slot>),
    /// A place is free (again): the id is in the list now, and its turn is taken.
    Free {
        /// The new agent.
        slot: Arc<Slot>,
        /// Its turn.
        turn: Turn,
        /// Who made room.
        leaving: Option<Leaving>,
    },
    /// Nobody can make room.
    Full,
}

/// All agents by their ids.
#[derive(Debug)]
pub struct Slots {
    rules: Rules,
    by_id: Mutex<BTreeMap<AgentId, Arc<Slot>>>,
}

impl Slots {
    /// No agents yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            by_id: Mutex::default(),
        }
    }

    /// Adds an agent that the store holds, over capacity too: what was promised is kept.
    pub fn add(&self, id: AgentId, slot: Slot) {
        self.lock().insert(id, Arc::new(slot));
    }

    /// The agent of this id.
    #[must_use]
    pub fn find(&self, id: &AgentId) -> Option<Arc<Slot>> {
        self.lock().get(id).map(Arc::clone)
    }

    /// Agents now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The agents behind `after`, at most `limit`, and where the next page begins.
    #[must_use]
    pub fn page(
        &self,
        after: Option<&AgentId>,
        limit: usize,
    ) -> (Vec<AgentSummary>, Option<AgentId>) {
        use std::ops::Bound::{Excluded, Unbounded};
        let by_id = self.lock();
        let mut rest = by_id.range((after.map_or(Unbounded, Excluded), Unbounded));
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let next = rest.next().and(page.last()).map(|(id, _)| **id);
        let page = page.into_iter().map(|(id, slot)| slot.describe(id));
        (page.collect(), next)
    }

    /// The agents that were used last, latest first, at most `limit`.
    #[must_use]
    pub fn latest(&self, limit: usize) -> Vec<AgentSummary> {
        let by_id = self.lock();
        let mut agents: Vec<_> = by_id.iter().collect();
        // Each time is read once: agents are used meanwhile.
        agents.sort_by_cached_key(|(_, slot)| std::cmp::Reverse(slot.used_at()));
        agents.truncate(limit);
        agents
            .into_iter()
            .map(|(id, slot)| slot.describe(id))
            .collect()
    }

    /// Asks for a place for a new agent.
    #[must_use]
    pub fn place(&self, id: AgentId, now: u64) -> Place {
        let mut by_id = self.lock();
        if let Some(slot) = by_id.get(&id) {
            return Place::Taken(Arc::clone(slot));
        }
        let mut leaving = None;
        if by_id.len() >= self.rules.capacity as usize {
            leaving = self.make_room(&by_id, now);
            if leaving.is_none() {
                return Place::Full;
            }
        }
        let slot = Arc::new(Slot::new(now, false));
        let Some(turn) = slot.try_turn() else {
            unreachable!("nobody else knows the slot yet");
        };
        by_id.insert(id, Arc::clone(&slot));
        Place::Free {
            slot,
            turn,
            leaving,
        }
    }

    /// Takes an agent out of the list, in its turn.
    pub fn remove(&self, id: &AgentId, slot: &Arc<Slot>) {
        slot.gone.store(true, Ordering::Release);
        let mut by_id = self.lock();
        if by_id.get(id).is_some_and(|found| Arc::ptr_eq(found, slot)) {
            by_id.remove(id);
        }
    }

    /// Takes an agent out of the list whose record is deleted.
    pub fn left(&self, leaving: &Leaving) {
        self.remove(&leaving.id, &leaving.slot);
    }

    /// Keeps an agent whose record could not be deleted.
    pub fn put_back(&self, leaving: &Leaving) {
        leaving.slot.gone.store(false, Ordering::Release);
    }

    /// The agents that made no step for longer than `agents.expire_seconds`, at most `limit`.
    #[must_use]
    pub fn expired(&self, now: u64, limit: usize) -> Vec<AgentId> {
        let by_id = self.lock();
        let old = by_id.iter().filter(|(_, slot)| self.is_expired(slot, now));
        old.map(|(id, _)| *id).take(limit).collect()
    }

    /// Lets an agent leave, if it is (still) one of those.
    #[must_use]
    pub fn expire(&self, id: AgentId, now: u64) -> Option<Leaving> {
        let slot = self.find(&id)?;
        leave(id, &slot, "expired", &|slot| self.is_expired(slot, now))
    }

    fn is_expired(&self, slot: &Slot, now: u64) -> bool {
        let after = u64::from(self.rules.expire_seconds);
        after > 0 && now.saturating_sub(slot.used_at()) > after
    }

    fn make_room(&self, by_id: &BTreeMap<AgentId, Arc<Slot>>, now: u64) -> Option<Leaving> {
        let oldest = |chosen: &dyn Fn(&Slot) -> bool, rule| {
            let mut agents: Vec<_> = by_id.iter().filter(|(_, slot)| chosen(slot)).collect();
            // As in `latest`.
            agents.sort_by_cached_key(|(_, slot)| slot.used_at());
            agents
                .into_iter()
                .find_map(|(id, slot)| leave(*id, slot, rule, chosen))
        };
        let idle_after = u64::from(self.rules.idle_seconds);
        let is_idle = |slot: &Slot| {
            idle_after > 0 && !slot.ended() && now.saturating_sub(slot.used_at()) > idle_after
        };
        oldest(&Slot::ended, "ended").or_else(|| oldest(&is_idle, "idle"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AgentId, Arc<Slot>>> {
        // No code that runs under the lock can leave the map half changed.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the agent's turn for good, unless it is in the middle of a step, or `chosen` no longer holds: it may have made a step since
/// somebody looked, and now that its turn is ours it cannot.
fn leave(
    id: AgentId,
    slot: &Arc<Slot>,
    rule: &'static str,
    chosen: &dyn Fn(&Slot) -> bool,
) -> Option<Leaving> {
    let turn = slot.try_turn()?;
    if slot.gone.load(Ordering::Acquire) || !chosen(slot) {
        return None;
    }
    slot.gone.store(true, Ordering::Release);
    Some(Leaving {
        id,
        rule,
        slot: Arc::clone(slot),
        turn,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(capacity: u32) -> Slots {
        Slots::new(Rules {
            capacity,
            idle_seconds: 100,
            expire_seconds: 1000,
        })
    }

    fn id(text: &str) -> AgentId {
        text.parse().unwrap()
    }

    fn who(place: Place) -> Option<(String, &'static str)> {
        match place {
            Place::Free { leaving, .. } => leaving.map(|l| (l.id.to_string(), l.rule)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_ended_make_room_before_the_idle_and_nobody_else_does() {
        let slots = slots(3);
        slots.add(id("a"), Slot::new(10, false));
        slots.add(id("b"), Slot::new(50, true));
        slots.add(id("c"), Slot::new(190, false));
        assert!(matches!(slots.place(id("a"), 200), Place::Taken(_)));
        assert_eq!(who(slots.place(id("d"), 200)), Some(("b".into(), "ended")));
        assert_eq!(who(slots.place(id("e"), 200)), Some(("a".into(), "idle")));
        assert!(matches!(slots.place(id("f"), 200), Place::Full));
    }

    #[test]
    fn who_leaves_keeps_its_id_until_its_record_is_deleted() {
        let slots = slots(1);
        slots.add(id("a"), Slot::new(0, true));
        let Place::Free {
            leaving: Some(leaving),
            ..
        } = slots.place(id("b"), 10)
        else {
            panic!("the ended one makes room");
        };
        assert!(matches!(slots.place(id("a"), 10), Place::Taken(_)));
        assert!(slots.find(&id("a")).unwrap().try_turn().is_none());
        slots.left(&leaving);
        assert!(slots.find(&id("a")).is_none());
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn an_agent_that_made_a_step_since_somebody_looked_stays() {
        let slots = slots(9);
        slots.add(id("a"), Slot::new(0, false));
        slots.add(id("b"), Slot::new(0, false));
        assert_eq!(slots.expired(5000, 9), [id("a"), id("b")]);
        assert_eq!(slots.expired(5000, 1), [id("a")]);
        slots.find(&id("a")).unwrap().used(4999, false);
        assert!(slots.expire(id("a"), 5000).is_none());
        assert!(slots.find(&id("a")).unwrap().try_turn().is_some());
        let leaving = slots.expire(id("b"), 5000).unwrap();
        assert_eq!(leaving.rule, "expired");
        assert!(slots.expire(id("b"), 5000).is_none(), "once");
    }

    /// The standard library may panic when a sort's keys change under it.
    #[test]
    fn agents_are_put_in_order_while_they_are_used() {
        let slots = slots(2000);
        for n in 0..2000 {
            slots.add(id(&format!("a{n}")), Slot::new(n, true));
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let all: Vec<_> = slots.lock().values().map(Arc::clone).collect();
                let mut time = 1_u64;
                while !done.load(Ordering::Relaxed) {
                    for slot in &all {
                        time = time.wrapping_mul(6_364_136_223_846_793_005) + 1;
                        slot.used(time >> 33, true);
                    }
                }
            });
            for n in 0..300 {
                assert_eq!(slots.latest(10).len(), 10);
                if let Place::Free {
                    leaving: Some(leaving),
                    ..
                } = slots.place(id(&format!("b{n}")), 0)
                {
                    slots.left(&leaving);
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(slots.len(), 2000);
    }

    #[test]
    fn an_agent_in_a_step_does_not_leave() {
        let slots = slots(1);
        slots.add(id("a"), Slot::new(0, true));
        let turn = slots.find(&id("a")).unwrap().try_turn();
        assert!(turn.is_some());
        assert!(matches!(slots.place(id("b"), 5000), Place::Full));
        assert!(slots.expire(id("a"), 5000).is_none());
        drop(turn);
        let leaving = slots.expire(id("a"), 5000).unwrap();
        slots.put_back(&leaving);
        drop(leaving);
        assert!(slots.expire(id("a"), 5000).is_some());
    }

    #[test]
    fn pages_follow_each_other() {
        let slots = slots(9);
        for name in ["a", "b", "c", "d", "e"] {
            slots.add(id(name), Slot::new(0, false));
        }
        let names = |after: Option<&str>| {
            let (page, next) = slots.page(after.map(id).as_ref(), 2);
            let names: Vec<_> = page.into_iter().map(|agent| agent.id).collect();
            (names.concat(), next.map(|next| next.to_string()))
        };
        assert_eq!(names(None), ("ab".into(), Some("b".into())));
        assert_eq!(names(Some("b")), ("cd".into(), Some("d".into())));
        assert_eq!(names(Some("d")), ("e".into(), None));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_deleted_agent_is_told() {
        let slots = slots(9);
        slots.add(id("a"), Slot::new(0, false));
        let slot = slots.find(&id("a")).unwrap();
        let turn = slot.turn().await.unwrap();
        let waiting = Arc::clone(&slot);
        let waiting = tokio::spawn(async move { waiting.turn().await.is_some() });
        tokio::task::yield_now().await;
        slots.remove(&id("a"), &slot);
        drop(turn);
        assert!(!waiting.await.unwrap());
    }
}
