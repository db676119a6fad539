//! The gradient of a batch, summed over its pieces in their order, whichever threads they run on.
//!
//! The pieces of a batch run side by side, but a sum of floating-point numbers depends on its order. So every tensor has a turn:
//! piece 3 adds to it when pieces 0 to 2 have. Pieces that began one after the other reach a tensor one after the other
//! too, so they seldom wait. There is one gradient in memory, not one for every piece, and the products of the backward
//! pass add to it themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The sum, tensor by tensor.
#[derive(Debug)]
pub struct GradientSum {
    tensors: Vec<Turns>,
    /// A piece failed: nobody waits any longer, the sum is lost.
    lost: AtomicBool,
}

#[derive(Debug)]
struct Turns {
    turn: Mutex<Turn>,
    passed: Condvar,
}

#[derive(Debug)]
struct Turn {
    /// The piece whose turn it is.
    piece: usize,
    sum: Vec<f32>,
}

impl GradientSum {
    /// Zeros for tensors of these lengths.
    #[must_use]
    pub fn new(lengths: impl IntoIterator<Item = usize>) -> Self {
        let turns = |length| Turns {
            turn: Mutex::new(Turn {
                piece: 0,
                sum: vec![0.0; length],
            }),
            passed: Condvar::new(),
        };
        Self {
            tensors: lengths.into_iter().map(turns).collect(),
            lost: AtomicBool::new(false),
        }
    }

    /// The next batch begins: every tensor waits for piece 0, which begins it anew.
    pub fn begin(&mut self) {
        *self.lost.get_mut() = false;
        for tensor in &mut self.tensors {
            let turn = tensor
                .turn
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
            turn.piece = 0;
        }
    }

    /// The sums, tensor by tensor.
    pub fn sums(&mut self) -> Vec<&mut [f32]> {
        self.tensors
            .iter_mut()
            .map(|tensor| {
                let turn = tensor
                    .turn
                    .get_mut()
                    .unwrap_or_else(PoisonError::into_inner);
                turn.sum.as_mut_slice()
            })
            .collect()
    }

    /// Lets `work` add to a tensor when it is the turn of `piece`.
    fn add(&self, tensor: usize, piece: usize, work: impl FnOnce(&mut [f32])) {
        let tensor = &self.tensors[tensor];
        let mut turn = tensor.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while turn.piece != piece && !self.lost.load(Ordering::Acquire) {
            turn = tensor
                .passed
                .wait(turn)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if self.lost.load(Ordering::Acquire) {
            return;
        }
        if piece == 0 {
            turn.sum.fill(0.0);
        }
        work(&mut turn.sum);
        turn.piece += 1;
        drop(turn);
        tensor.passed.notify_all();
    }

    /// Nobody waits for anybody any longer; what was summed is of no use.
    fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        for tensor in &self.tensors {
            // Whoever is about to wait holds the lock and has seen the old value, or will see the new one.
            drop(tensor.turn.lock().unwrap_or_else(PoisonError::into_inner));
            tensor.passed.notify_all();
        }
    }
}

/// What one piece adds.
#[derive(Debug, Clone)]
pub struct Share {
    sum: Arc<GradientSum>,
    piece: usize,
}

impl Share {
    /// The share of a piece. Pieces are counted from 0 in every batch.
    #[must_use]
    pub const fn new(sum: Arc<GradientSum>, piece: usize) -> Self {
        Self { sum, piece }
    }

    /// Which piece it is.
    #[must_use]
    pub const fn piece(&self) -> usize {
        self.piece
    }

    /// Lets `work` add to a tensor when the pieces before this one have.
    pub fn add(&self, tensor: usize, work: impl FnOnce(&mut [f32])) {
        self.sum.add(tensor, self.piece, work);
    }
}

/// Gives the sum up when it is dropped before [`Self::whole`]: a piece that failed would let the others wait for ever.
#[derive(Debug)]
pub struct Promise<'a> {
    sum: &'a GradientSum,
    kept: bool,
}

impl<'a> Promise<'a> {
    /// The promise of a piece to add to every tensor.
    #[must_use]
    pub const fn new(sum: &'a GradientSum) -> Self {
        Self { sum, kept: false }
    }

    /// The piece has added everything.
    pub fn whole(mut self) {
        self.kept = true;
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.sum.lose();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel;

    #[test]
    fn pieces_add_in_their_order() {
        // Numbers whose sum in f32 depends on the order.
        let pieces: Vec<f32> = (0..40)
            .map(|i| (i as f32 * 1.7).sin() * 10_f32.powi(i % 7))
            .collect();
        let sum_on = |threads: usize| {
            let sum = Arc::new(GradientSum::new([3, 2]));
            parallel::map(threads, &pieces, |piece, value| {
                let share = Share::new(Arc::clone(&sum), piece);
                for tensor in [1, 0] {
                    share.add(tensor, |sum| sum.iter_mut().for_each(|s| *s += value));
                }
            });
            let mut sum = Arc::into_inner(sum).unwrap();
            sum.sums()
                .iter()
                .map(|s| s[0].to_bits())
                .collect::<Vec<_>>()
        };
        let alone = sum_on(1);
        assert_eq!(
            alone[0],
            pieces.iter().fold(0.0, |sum, v| sum + v).to_bits()
        );
        for threads in [2, 5] {
            assert_eq!(sum_on(threads), alone);
        }
    }

    #[test]
    fn a_failed_piece_lets_nobody_wait() {
        let mut sum = GradientSum::new([1]);
        let done = parallel::map(3, &[0, 1, 2], |piece, _| {
            let promise = Promise::new(&sum);
            if piece == 0 {
                return false;
            }
            sum.add(0, piece, |_| ());
            promise.whole();
            true
        });
        assert_eq!(done, [false, true, true]);
        for _ in 0..2 {
            sum.begin();
            sum.add(0, 0, |sum| sum[0] += 2.0);
            assert_eq!(sum.sums()[0], [2.0]);
        }
    }
}
