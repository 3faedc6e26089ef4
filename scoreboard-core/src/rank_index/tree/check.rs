//! What must hold of a tree at any time.

use super::Tree;
use super::inner::Sum;

impl<const LEAF: usize, const FAN: usize> Tree<LEAF, FAN> {
    /// Asserts every invariant of the tree, and tells each entry's record and leaf, in order.
    pub(in crate::rank_index) fn check(&self, tie: impl Fn(u32) -> i64) -> Vec<(u32, u32)> {
        let (mut all, mut last, mut leaves, mut wide, mut total) = (Vec::new(), None, 0, 0, Sum::default());
        for root in 0..self.root.len() {
            let inner = self.inner_at(root);
            assert_eq!(inner.place as usize, root, "an inner node knows its place");
            assert!(inner.len() > 0, "no inner node is empty");
            assert_eq!(self.root.first(root), inner.first(0), "the root knows where an inner node begins");
            assert_eq!(self.root.sum(root), inner.total(), "the root counts its inner nodes");
            assert_eq!(self.root.before(root), total, "stretches are added up");
            for child in 0..inner.len() {
                leaves += 1;
                wide += self.leaves.get(inner.leaf(child)).bytes();
                let counted = inner.counted(child);
                let leaf = self.leaves.get(counted.leaf);
                assert_eq!(leaf.inner, self.root.inner(root), "a leaf knows its inner node");
                assert!(leaf.len() > 0 && leaf.len() <= LEAF, "no leaf is empty");
                assert_eq!(
                    (Some(counted.first), usize::from(counted.entries)),
                    (leaf.first(), leaf.len()),
                    "a leaf is counted"
                );
                let mut firsts = 0;
                for (slot, score) in leaf.entries() {
                    let key = (score, tie(slot));
                    assert!(last.is_none_or(|last| last < key), "keys rise: {last:?}, {key:?}");
                    firsts += u8::from(last.is_none_or(|(last, _)| last != score));
                    last = Some(key);
                    all.push((slot, counted.leaf));
                }
                assert_eq!(counted.scores, firsts, "the first of each score is counted");
            }
            total += inner.total();
        }
        assert_eq!(self.root.total(), total, "the root counts all");
        assert_eq!(self.leaves.len(), leaves, "no leaf is lost");
        assert_eq!(self.wide, wide, "wide leaves are reckoned");
        assert_eq!(self.inners.len(), self.root.len(), "no inner node is lost");
        assert!(self.moved.is_empty(), "everyone knows their leaf");
        all
    }
}
