//! Token sequences that share their beginnings.

use crate::native::Token;

/// A set of token sequences. Node 0 is the root.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    children: Vec<(Token, u32)>,
    terminal: bool,
}

impl Default for Trie {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Trie {
    /// Where every walk begins.
    pub(super) const ROOT: u32 = 0;

    /// Adds a sequence. An empty one adds nothing.
    pub(super) fn insert(&mut self, tokens: &[Token]) {
        let mut at = Self::ROOT;
        for token in tokens {
            at = match self.child(at, *token) {
                Some(child) => child,
                None => self.grow(at, *token),
            };
        }
        if at != Self::ROOT {
            self.nodes[at as usize].terminal = true;
        }
    }

    fn grow(&mut self, at: u32, token: Token) -> u32 {
        let child = u32::try_from(self.nodes.len()).expect("a trie of a frame has few nodes");
        self.nodes.push(Node::default());
        self.nodes[at as usize].children.push((token, child));
        child
    }

    /// Empties the trie.
    pub(super) fn clear(&mut self) {
        self.nodes.truncate(1);
        self.nodes[0].children.clear();
    }

    /// Whether the set has no sequence.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes[0].children.is_empty()
    }

    /// The node behind `token`.
    pub(super) fn child(&self, node: u32, token: Token) -> Option<u32> {
        let children = &self.nodes[node as usize].children;
        children.iter().find(|(t, _)| *t == token).map(|(_, n)| *n)
    }

    /// The tokens that may follow.
    pub(super) fn tokens(&self, node: u32) -> impl Iterator<Item = Token> {
        self.nodes[node as usize].children.iter().map(|(t, _)| *t)
    }

    /// Whether a sequence ends here.
    pub(super) fn ends(&self, node: u32) -> bool {
        self.nodes[node as usize].terminal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_share_their_beginning() {
        let mut trie = Trie::default();
        assert!(trie.is_empty());
        trie.insert(&[Token(1), Token(2)]);
        trie.insert(&[Token(1)]);
        trie.insert(&[Token(1), Token(3)]);
        trie.insert(&[]);
        let one = trie.child(Trie::ROOT, Token(1)).unwrap();
        assert!(trie.ends(one) && !trie.ends(Trie::ROOT));
        assert_eq!(trie.tokens(one).collect::<Vec<_>>(), [Token(2), Token(3)]);
        assert_eq!(trie.tokens(Trie::ROOT).count(), 1);
        trie.clear();
        assert!(trie.is_empty());
    }
}
