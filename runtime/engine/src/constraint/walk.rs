//! The automaton over tokens: where each template stands, and what may come next.

use std::fmt::Write as _;

use stride_agent::places::NameList;
use stride_agent::utterance::format_low;
use stride_firmware_config::frame::{Marker, StepFrame};

use super::names;
use super::pieces::Pieces;
use super::templates::{ActionTemplates, Item, Slot};
use super::trie::Trie;
use crate::native::Token;
use crate::vocabulary::Vocabulary;

/// What does not depend on a frame: the templates as tokens. Shared by every walk.
#[derive(Debug)]
pub(crate) struct Constraint {
    /// Per template its parts, the flags last; behind them [`LISTED`].
    rules: Vec<Vec<Part>>,
    /// The tries of the fixed parts.
    fixed: Vec<Trie>,
    pieces: Pieces,
    end: Token,
    /// Kept for its capacity.
    tokens: Vec<Token>,
}

/// Where the sequences of a part are found.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Among the walk's own tries, which a frame fills.
    Slot(Slot),
    /// Among the fixed tries.
    Fixed(usize),
}

/// The rule of listed actions: whole utterances.
const LISTED: [Part; 1] = [Part::Slot(Slot::Any)];

/// A walk through the allowed utterances of one frame.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// One trie per slot kind, refilled by frame.
    slots: [Trie; Slot::ALL.len()],
    /// Where the templates stand that agree with the tokens so far.
    states: Vec<State>,
    /// The states to come; kept for its capacity.
    next: Vec<State>,
    allowed: Vec<Token>,
}

/// A place inside one part of one template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    rule: usize,
    /// Which part; one past the last means: complete.
    part: usize,
    /// The node of the part's trie.
    node: u32,
}

impl Walk {
    /// The tokens that may come next, each once; the end marker among them when the utterance is complete.
    pub(crate) fn allowed(&self) -> &[Token] {
        &self.allowed
    }
}

impl Constraint {
    /// Tokenizes what does not depend on a frame.
    pub(crate) fn new(templates: &ActionTemplates, vocabulary: &mut Vocabulary) -> Self {
        let mut this = Self {
            rules: Vec::new(),
            fixed: vec![flag_trie(vocabulary)],
            pieces: Pieces::default(),
            end: vocabulary.marker(Marker::End),
            tokens: Vec::new(),
        };
        for template in &templates.templates {
            let mut rule = Vec::with_capacity(template.len() + 1);
            for item in template {
                rule.push(match item {
                    Item::Slot(slot) => Part::Slot(*slot),
                    Item::Words(words) => Part::Fixed(this.words_trie(words, vocabulary)),
                });
            }
            rule.push(Part::Fixed(0));
            this.rules.push(rule);
        }
        this.rules.push(LISTED.into());
        this
    }

    fn words_trie(&mut self, words: &str, vocabulary: &mut Vocabulary) -> usize {
        self.tokens.clear();
        for word in words.split(' ') {
            self.pieces.push_word(word, vocabulary, &mut self.tokens);
        }
        let mut trie = Trie::default();
        trie.insert(&self.tokens);
        self.fixed.push(trie);
        self.fixed.len() - 1
    }

    /// Starts a walk through the utterances that `frame` allows.
    pub(crate) fn open(
        &mut self,
        walk: &mut Walk,
        frame: &StepFrame<'_>,
        vocabulary: &mut Vocabulary,
    ) {
        for trie in &mut walk.slots {
            trie.clear();
        }
        let (receptacles, objects) = frame_names(frame);
        for (list, slot) in [(&receptacles, Slot::Receptacle), (&objects, Slot::Object)] {
            self.insert_names(walk, list, slot, vocabulary);
        }
        walk.states.clear();
        let templates = self.rules.len() - 1;
        for (rule, parts) in self.rules[..templates].iter().enumerate() {
            // A template with a slot that nothing fills would lead nowhere.
            if parts.iter().all(|part| !self.trie(walk, *part).is_empty()) {
                push_new(&mut walk.states, State::entering(rule, 0));
            }
        }
        self.list_allowed(walk);
    }

    /// Starts a walk through these actions, each with either flag.
    pub(crate) fn open_listed<S: AsRef<str>>(
        &mut self,
        walk: &mut Walk,
        actions: &[S],
        vocabulary: &mut Vocabulary,
    ) {
        let listed = &mut walk.slots[Slot::Any as usize];
        listed.clear();
        for action in actions {
            for finished in [true, false] {
                self.tokens.clear();
                // As a whole: an action may end in a character that the tokenizer joins with the flag's semicolon.
                let said = format_low(action.as_ref(), finished);
                vocabulary.push_spaced(&said, &mut self.tokens);
                listed.insert(&self.tokens);
            }
        }
        walk.states.clear();
        push_new(&mut walk.states, State::entering(self.rules.len() - 1, 0));
        self.list_allowed(walk);
    }

    fn insert_names(
        &mut self,
        walk: &mut Walk,
        names: &NameList,
        slot: Slot,
        vocabulary: &mut Vocabulary,
    ) {
        let mut digits = String::new();
        for (kind, number) in names.iter() {
            self.tokens.clear();
            self.pieces.push_word(kind, vocabulary, &mut self.tokens);
            digits.clear();
            // Writing to a string cannot fail.
            let _ = write!(digits, "{number}");
            self.pieces.push_word(&digits, vocabulary, &mut self.tokens);
            walk.slots[slot as usize].insert(&self.tokens);
            walk.slots[Slot::Any as usize].insert(&self.tokens);
        }
    }

    /// Takes an allowed token.
    pub(crate) fn advance(&self, walk: &mut Walk, token: Token) {
        let mut next = std::mem::take(&mut walk.next);
        next.clear();
        for state in &walk.states {
            let Some(trie) = self.trie_at(walk, *state) else {
                continue;
            };
            let Some(node) = trie.child(state.node, token) else {
                continue;
            };
            if trie.ends(node) {
                push_new(&mut next, State::entering(state.rule, state.part + 1));
            }
            if trie.tokens(node).next().is_some() {
                push_new(&mut next, State { node, ..*state });
            }
        }
        walk.next = std::mem::replace(&mut walk.states, next);
        self.list_allowed(walk);
    }

    /// The trie of the part in which a state stands; `None` behind the last part.
    fn trie_at<'a>(&'a self, walk: &'a Walk, state: State) -> Option<&'a Trie> {
        let part = self.rules[state.rule].get(state.part)?;
        Some(self.trie(walk, *part))
    }

    fn trie<'a>(&'a self, walk: &'a Walk, part: Part) -> &'a Trie {
        match part {
            Part::Slot(slot) => &walk.slots[slot as usize],
            Part::Fixed(at) => &self.fixed[at],
        }
    }

    fn list_allowed(&self, walk: &mut Walk) {
        let mut allowed = std::mem::take(&mut walk.allowed);
        allowed.clear();
        for state in &walk.states {
            match self.trie_at(walk, *state) {
                Some(trie) => allowed.extend(trie.tokens(state.node)),
                None => allowed.push(self.end),
            }
        }
        allowed.sort_unstable();
        allowed.dedup();
        walk.allowed = allowed;
    }
}

impl State {
    /// The beginning of a part or, behind the last, completion. Only templates whose slots are all filled are walked, so
    /// every part leads on.
    const fn entering(rule: usize, part: usize) -> Self {
        Self {
            rule,
            part,
            node: Trie::ROOT,
        }
    }
}

fn push_new(states: &mut Vec<State>, state: State) {
    if !states.contains(&state) {
        states.push(state);
    }
}

fn flag_trie(vocabulary: &Vocabulary) -> Trie {
    let mut trie = Trie::default();
    let mut tokens = Vec::new();
    for finished in [true, false] {
        tokens.clear();
        vocabulary.push_text(&format_low("", finished), &mut tokens);
        trie.insert(&tokens);
    }
    trie
}

/// Receptacles and objects of a frame, by the module's definition.
pub(super) fn frame_names(frame: &StepFrame<'_>) -> (NameList, NameList) {
    let mut receptacles = NameList::default();
    names::collect(frame.scene(), &mut receptacles);
    let mut objects = NameList::default();
    names::collect(frame.observation(), &mut objects);
    if let StepFrame::Low {
        subtask, progress, ..
    } = frame
    {
        names::collect(progress, &mut objects);
        names::collect(subtask, &mut objects);
    }
    for (kind, number) in receptacles.iter() {
        objects.remove(kind, number);
    }
    (receptacles, objects)
}
