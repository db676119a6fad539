//! Token sequences that share their beginnings.

use crate::native::Token;

/// A set of token sequences. Node 0 is the root. One flat list, so that refilling it allocates nothing once it has grown.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    token: Token,
    /// The first child and the next of the same parent; 0, the root, is nobody's child and means none.
    child: u32,
    sibling: u32,
    terminal: bool,
}

impl Node {
    const fn new(token: Token) -> Self {
        Self {
            token,
            child: 0,
            sibling: 0,
            terminal: false,
        }
    }
}

impl Default for Trie {
    fn default() -> Self {
        Self {
            nodes: vec![Node::new(Token(0))],
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
        let grown = u32::try_from(self.nodes.len()).expect("a trie of a frame has few nodes");
        self.nodes.push(Node::new(token));
        // Behind the last child, so that children stay in the order in which they came.
        match self.children(at).last() {
            Some(last) => self.nodes[last as usize].sibling = grown,
            None => self.nodes[at as usize].child = grown,
        }
        grown
    }

    /// Empties the trie and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.nodes.truncate(1);
        self.nodes[0].child = 0;
    }

    /// Whether the set has no sequence.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes[0].child == 0
    }

    /// The node behind `token`.
    pub(super) fn child(&self, node: u32, token: Token) -> Option<u32> {
        self.children(node)
            .find(|child| self.nodes[*child as usize].token == token)
    }

    /// The tokens that may follow.
    pub(super) fn tokens(&self, node: u32) -> impl Iterator<Item = Token> {
        self.children(node)
            .map(|child| self.nodes[child as usize].token)
    }

    /// Whether a sequence ends here.
    pub(super) fn ends(&self, node: u32) -> bool {
        self.nodes[node as usize].terminal
    }

    fn children(&self, node: u32) -> impl Iterator<Item = u32> {
        let some = |node: u32| (node != 0).then_some(node);
        std::iter::successors(some(self.nodes[node as usize].child), move |child| {
            some(self.nodes[*child as usize].sibling)
        })
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
