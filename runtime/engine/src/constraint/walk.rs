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

/// The allowed utterances of one frame, and a walk through them.
#[derive(Debug)]
pub(crate) struct Constraint {
    /// Per template the tries of its parts, the flags last.
    rules: Vec<Vec<usize>>,
    /// One trie per slot kind (refilled by frame), then the fixed ones.
    tries: Vec<Trie>,
    pieces: Pieces,
    end: Token,
    /// Where the templates stand that agree with the tokens so far.
    states: Vec<State>,
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

impl Constraint {
    /// Tokenizes what does not depend on a frame.
    pub(crate) fn new(templates: &ActionTemplates, vocabulary: &mut Vocabulary) -> Self {
        let mut this = Self {
            rules: Vec::new(),
            tries: Slot::ALL.map(|_| Trie::default()).into(),
            pieces: Pieces::default(),
            end: vocabulary.marker(Marker::End),
            states: Vec::new(),
            allowed: Vec::new(),
        };
        let flags = this.tries.len();
        this.tries.push(flag_trie(vocabulary));
        for template in &templates.templates {
            let mut rule = Vec::with_capacity(template.len() + 1);
            for item in template {
                rule.push(match item {
                    Item::Slot(slot) => *slot as usize,
                    Item::Words(words) => this.words_trie(words, vocabulary),
                });
            }
            rule.push(flags);
            this.rules.push(rule);
        }
        this
    }

    fn words_trie(&mut self, words: &str, vocabulary: &mut Vocabulary) -> usize {
        let mut tokens = Vec::new();
        for word in words.split(' ') {
            self.pieces.push_word(word, vocabulary, &mut tokens);
        }
        let mut trie = Trie::default();
        trie.insert(&tokens);
        self.tries.push(trie);
        self.tries.len() - 1
    }

    /// Starts a walk through the utterances that `frame` allows.
    pub(crate) fn open(&mut self, frame: &StepFrame<'_>, vocabulary: &mut Vocabulary) {
        for slot in Slot::ALL {
            self.tries[slot as usize].clear();
        }
        let (receptacles, objects) = frame_names(frame);
        for (list, slot) in [(&receptacles, Slot::Receptacle), (&objects, Slot::Object)] {
            self.insert_names(list, slot, vocabulary);
        }
        self.states.clear();
        for rule in 0..self.rules.len() {
            // A template with a slot that nothing fills would lead nowhere.
            if self.rules[rule]
                .iter()
                .all(|trie| !self.tries[*trie].is_empty())
            {
                enter(&self.rules, &self.tries, &mut self.states, rule, 0);
            }
        }
        self.list_allowed();
    }

    fn insert_names(&mut self, names: &NameList, slot: Slot, vocabulary: &mut Vocabulary) {
        let mut tokens = Vec::new();
        let mut digits = String::new();
        for (kind, number) in names.iter() {
            tokens.clear();
            digits.clear();
            // Writing to a string cannot fail.
            let _ = write!(digits, "{number}");
            self.pieces.push_word(kind, vocabulary, &mut tokens);
            self.pieces.push_word(&digits, vocabulary, &mut tokens);
            self.tries[slot as usize].insert(&tokens);
            self.tries[Slot::Any as usize].insert(&tokens);
        }
    }

    /// The tokens that may come next, each once; the end marker among them when the utterance is complete.
    pub(crate) fn allowed(&self) -> &[Token] {
        &self.allowed
    }

    /// Takes an allowed token.
    pub(crate) fn advance(&mut self, token: Token) {
        let mut next = Vec::with_capacity(self.states.len());
        for state in &self.states {
            let Some(trie) = self.trie(*state) else {
                continue;
            };
            let Some(node) = trie.child(state.node, token) else {
                continue;
            };
            let moved = State { node, ..*state };
            if trie.ends(node) {
                enter(
                    &self.rules,
                    &self.tries,
                    &mut next,
                    state.rule,
                    state.part + 1,
                );
            }
            if trie.tokens(node).next().is_some() {
                push_new(&mut next, moved);
            }
        }
        self.states = next;
        self.list_allowed();
    }

    fn trie(&self, state: State) -> Option<&Trie> {
        let trie = self.rules[state.rule].get(state.part)?;
        Some(&self.tries[*trie])
    }

    fn list_allowed(&mut self) {
        let mut allowed = std::mem::take(&mut self.allowed);
        allowed.clear();
        for state in &self.states {
            match self.trie(*state) {
                Some(trie) => allowed.extend(trie.tokens(state.node)),
                None => allowed.push(self.end),
            }
        }
        allowed.sort_unstable();
        allowed.dedup();
        self.allowed = allowed;
    }
}

/// Adds the beginning of a part (or, behind the last, completion).
fn enter(rules: &[Vec<usize>], tries: &[Trie], states: &mut Vec<State>, rule: usize, part: usize) {
    debug_assert!(
        rules[rule]
            .get(part)
            .is_none_or(|trie| !tries[*trie].is_empty()),
        "only templates with filled slots are walked"
    );
    push_new(
        states,
        State {
            rule,
            part,
            node: Trie::ROOT,
        },
    );
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
