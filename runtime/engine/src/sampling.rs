//! Choosing a token among logits.

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use stride_firmware_config::level::PolicyLevel;

use crate::error::EngineError;
use crate::native::Token;
use crate::options::Sampling;

/// Chooses the tokens of one utterance.
#[derive(Debug)]
pub(crate) enum Choice {
    Greedy,
    Random {
        temperature: f32,
        generator: Box<ChaCha8Rng>,
    },
}

/// A token, and how clearly it was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Picked {
    pub(crate) token: Token,
    /// How far the largest logit lies above the next of those that could be chosen; infinite when there was no other.
    pub(crate) margin: f32,
}

/// The token of the largest logit; among equals, the lowest id.
pub(crate) fn most_likely(logits: &[f32]) -> Result<Picked, EngineError> {
    Choice::Greedy.pick_without(logits, &[])
}

impl Choice {
    /// The choice for the `call`-th utterance of a policy: a stream of its own, whatever earlier calls drew.
    pub(crate) fn for_call(sampling: Sampling, level: PolicyLevel, call: u64) -> Self {
        match sampling {
            Sampling::Seeded { seed, temperature } if temperature.get(level) > 0.0 => {
                let mut generator = ChaCha8Rng::seed_from_u64(seed);
                generator.set_stream(call);
                Self::Random {
                    temperature: temperature.get(level),
                    generator: Box::new(generator),
                }
            }
            Sampling::Greedy | Sampling::Seeded { .. } => Self::Greedy,
        }
    }

    /// The choice for a text: its seed is its own.
    pub(crate) fn for_text(temperature: f32, seed: u64) -> Self {
        if temperature > 0.0 {
            let generator = Box::new(ChaCha8Rng::seed_from_u64(seed));
            Self::Random {
                temperature,
                generator,
            }
        } else {
            Self::Greedy
        }
    }

    /// A token of the whole vocabulary, except `forbidden`.
    pub(crate) fn pick_without(
        &mut self,
        logits: &[f32],
        forbidden: &[Token],
    ) -> Result<Picked, EngineError> {
        let ids = 0..logits.len();
        if forbidden.is_empty() {
            return self.pick_from(logits, ids);
        }
        let banned = |id: usize| forbidden.iter().any(|t| t.0.unsigned_abs() as usize == id);
        self.pick_from(logits, ids.filter(|id| !banned(*id)))
    }

    /// One of `allowed`, by the same rule over their logits alone.
    pub(crate) fn pick_among(
        &mut self,
        logits: &[f32],
        allowed: &[Token],
    ) -> Result<Picked, EngineError> {
        let ids = allowed.iter().map(|token| token.0.unsigned_abs() as usize);
        self.pick_from(logits, ids)
    }

    fn pick_from(
        &mut self,
        logits: &[f32],
        ids: impl Iterator<Item = usize> + Clone,
    ) -> Result<Picked, EngineError> {
        let scored = ids
            .filter_map(|id| Some((id, *logits.get(id)?)))
            .filter(|(_, logit)| logit.is_finite());
        let (best, margin) = argmax(scored.clone()).ok_or(EngineError::Logits)?;
        let id = match self {
            Self::Greedy => best.0,
            Self::Random {
                temperature,
                generator,
            } => draw(scored, best, *temperature, generator),
        };
        Ok(Picked {
            token: Token(i32::try_from(id).unwrap_or(i32::MAX)),
            margin,
        })
    }
}

/// The largest logit (among equals the lowest id), and how far it lies above the next.
fn argmax(scored: impl Iterator<Item = (usize, f32)>) -> Option<((usize, f32), f32)> {
    let mut best = None;
    let mut second = f32::NEG_INFINITY;
    for (id, logit) in scored {
        match best {
            None => best = Some((id, logit)),
            Some((best_id, most)) if logit > most || (logit == most && id < best_id) => {
                second = most;
                best = Some((id, logit));
            }
            Some(_) => second = second.max(logit),
        }
    }
    best.map(|best| (best, best.1 - second))
}

/// Draws from the softmax over `temperature`, computed in f64 against the best logit.
fn draw(
    scored: impl Iterator<Item = (usize, f32)> + Clone,
    best: (usize, f32),
    temperature: f32,
    generator: &mut ChaCha8Rng,
) -> usize {
    let weight = |logit: f32| (f64::from(logit - best.1) / f64::from(temperature)).exp();
    let total: f64 = scored.clone().map(|(_, logit)| weight(logit)).sum();
    let mut rest = generator.random::<f64>() * total;
    for (id, logit) in scored {
        rest -= weight(logit);
        if rest < 0.0 {
            return id;
        }
    }
    // Rounding may leave a crumb; the best token is never wrong.
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::PerLevel;

    #[test]
    fn greedy_takes_the_lowest_of_equals_and_skips_what_is_not_a_number() {
        let logits = [1.0, f32::NAN, 3.0, 3.0, f32::INFINITY];
        let mut greedy = Choice::Greedy;
        let picked = greedy.pick_without(&logits, &[]).unwrap();
        assert_eq!((picked.token, picked.margin), (Token(2), 0.0));
        let among = greedy.pick_among(&logits, &[Token(3), Token(0)]).unwrap();
        assert_eq!((among.token, among.margin), (Token(3), 2.0));
        let only = greedy.pick_among(&logits, &[Token(0)]).unwrap();
        assert_eq!((only.token, only.margin), (Token(0), f32::INFINITY));
        assert!(greedy.pick_without(&[f32::NAN], &[]).is_err());
        assert!(greedy.pick_among(&logits, &[Token(99)]).is_err());
    }

    #[test]
    fn the_best_token_is_chosen_among_any_set_that_holds_it() {
        let logits: Vec<f32> = (0..64u32).map(|i| ((i * 37) % 64) as f32).collect();
        let best = most_likely(&logits).unwrap().token;
        for width in 1..8 {
            let mut allowed: Vec<Token> = (0..64).step_by(width).map(Token).collect();
            allowed.push(best);
            let picked = Choice::Greedy.pick_among(&logits, &allowed).unwrap();
            assert_eq!(picked.token, best);
        }
    }

    #[test]
    fn draws_repeat_by_call_and_follow_the_softmax() {
        let sampling = Sampling::Seeded {
            seed: 7,
            temperature: PerLevel::all(0.5),
        };
        let draw = |call| {
            let mut choice = Choice::for_call(sampling, PolicyLevel::Low, call);
            choice.pick_without(&[0.0, 0.5], &[]).unwrap().token.0
        };
        let drawn: Vec<i32> = (0..4000).map(draw).collect();
        assert_eq!(drawn, (0..4000).map(draw).collect::<Vec<_>>());
        // exp(0.5 / 0.5) / (1 + exp(0.5 / 0.5)) = 0.731
        let share = f64::from(drawn.iter().sum::<i32>()) / 4000.0;
        assert!((share - 0.731).abs() < 0.03, "{share}");
    }

    #[test]
    fn temperature_zero_is_greedy() {
        let sampling = Sampling::Seeded {
            seed: 1,
            temperature: PerLevel::all(0.0),
        };
        let choice = Choice::for_call(sampling, PolicyLevel::High, 0);
        assert!(matches!(choice, Choice::Greedy));
    }
}
