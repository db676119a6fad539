//! What `config.json` says about attention: how far it reaches back, how positions turn, how products are scaled and limited.

use super::check::Check;
use super::{MOST_CONTEXT, MOST_LAYERS, RawConfig};
use crate::architecture::{Architecture, SoftCaps, Window};
use crate::source::SourceError;
use crate::source::rope::{Scaling, Surroundings};

impl RawConfig {
    /// Positions that attention reaches back, by the rules of the architecture, and each which layer is not limited.
    pub(super) fn window(
        &self,
        architecture: &Architecture,
        check: &Check<'_>,
    ) -> Result<(Option<usize>, Option<usize>), SourceError> {
        let size = |window| check.within("sliding_window", window, MOST_CONTEXT);
        if let (Window::AllButEach { usual }, Some(window)) =
            (architecture.window, self.sliding_window)
        {
            return Ok((
                Some(size(window)?),
                Some(self.window_pattern(usual, check)?),
            ));
        }
        let same = match architecture.window {
            Window::EveryLayer if self.sliding_window.is_some() => "sliding_attention",
            _ => "full_attention",
        };
        let other = |kind: &&String| kind.as_str() != same;
        if let Some(kind) = self.layer_types.iter().flatten().find(other) {
            let problem = format!("holds {kind:?}; {same:?} is supported");
            return Err(check.refuse("layer_types", problem));
        }
        match (architecture.window, self.sliding_window) {
            (Window::EveryLayer, Some(window)) => Ok((Some(size(window)?), None)),
            (Window::Refused, _) if self.use_sliding_window == Some(true) => {
                let problem = "is true, which llama.cpp does not do for this architecture; turn it off if the texts \
                               stay within the window";
                Err(check.refuse("use_sliding_window", problem.into()))
            }
            _ => Ok((None, None)),
        }
    }

    /// The n of "each n-th layer sees everything"; 0 where none does. llama.cpp takes a rhythm.
    fn window_pattern(&self, usual: usize, check: &Check<'_>) -> Result<usize, SourceError> {
        let Some(kinds) = &self.layer_types else {
            return match self.sliding_window_pattern {
                Some(stated) => check.within("sliding_window_pattern", stated, MOST_LAYERS),
                None => Ok(usual),
            };
        };
        let is_full = |kind: &String| kind == "full_attention";
        let rhythm = kinds.iter().position(is_full).map_or(0, |first| first + 1);
        let expected = |layer: usize| match rhythm {
            0 => "sliding_attention",
            each if layer % each == each - 1 => "full_attention",
            _ => "sliding_attention",
        };
        let odd = (0..)
            .zip(kinds)
            .find(|(layer, kind)| *kind != expected(*layer));
        match odd {
            None => Ok(rhythm),
            Some((layer, kind)) => {
                let problem = format!(
                    "has {kind:?} in layer {layer}, which breaks the rhythm that llama.cpp can keep"
                );
                Err(check.refuse("layer_types", problem))
            }
        }
    }

    /// Base of the rotary frequencies.
    pub(super) fn theta(&self) -> f64 {
        let nested = self.rope_parameters.as_ref();
        let nested = nested.and_then(|rope| match &rope.full_attention {
            Some(full) => full.rope_theta,
            None => rope.rope_theta,
        });
        self.rope_theta.or(nested).unwrap_or(10_000.0)
    }

    /// Width of a head that is rotated.
    pub(super) fn rotary(
        &self,
        architecture: &Architecture,
        head_dim: usize,
        check: &Check<'_>,
    ) -> Result<usize, SourceError> {
        let nested = self.rope_parameters.as_ref();
        let nested = nested.and_then(|rope| rope.partial_rotary_factor);
        let part = self.partial_rotary_factor.or(nested).unwrap_or(1.0);
        if part == 1.0 {
            return Ok(head_dim);
        }
        let width = (head_dim as f64 * part) as usize;
        if architecture.partial_rotary && (2..=head_dim).contains(&width) && width.is_multiple_of(2)
        {
            return Ok(width);
        }
        let problem = format!(
            "is {part}, which llama.cpp does not do for {}",
            architecture.name
        );
        Err(check.refuse("partial_rotary_factor", problem))
    }

    /// How positions are scaled, and the base inside windows.
    pub(super) fn positions(
        &self,
        architecture: &Architecture,
        rotary: usize,
        check: &Check<'_>,
    ) -> Result<(Scaling, Option<f32>), SourceError> {
        let nested = self.rope_parameters.as_ref();
        let full = nested.and_then(|rope| rope.full_attention.as_deref());
        let sliding = nested.and_then(|rope| rope.sliding_attention.as_deref());
        if (full.is_some() || sliding.is_some()) && !architecture.local_rope {
            let problem = "differs by layer, which llama.cpp does not do for this architecture";
            return Err(check.refuse("rope_parameters", problem.into()));
        }
        if sliding.is_some_and(|rope| !rope.is_plain()) {
            let problem = "scales the positions of sliding_attention, which llama.cpp does not do";
            return Err(check.refuse("rope_parameters", problem.into()));
        }
        let set = full.or(nested).or(self.rope_scaling.as_ref());
        let around = Surroundings {
            theta: self.theta(),
            rotary,
            context: self.max_position_embeddings,
            original: self.original_max_position_embeddings,
        };
        let scaling = match set {
            None => Scaling::None,
            Some(set) => set
                .scaling(&around)
                .map_err(|(field, problem)| check.refuse(field, problem))?,
        };
        if let Some(kind) = scaling
            .kind()
            .filter(|kind| !architecture.scalings.contains(kind))
        {
            let problem = format!(
                "is {kind:?}, which llama.cpp does not do for {}",
                architecture.name
            );
            return Err(check.refuse("rope_scaling", problem));
        }
        let local = sliding
            .and_then(|rope| rope.rope_theta)
            .or(self.rope_local_base_freq);
        let local = if architecture.local_rope { local } else { None };
        let local = local.map(|theta| check.theta("rope_local_base_freq", theta));
        Ok((scaling, local.transpose()?))
    }

    /// llama.cpp computes the scale of attention from the widths, so another cannot be written down.
    pub(super) fn check_attention_scale(
        &self,
        architecture: &Architecture,
        heads: usize,
        head_dim: usize,
        check: &Check<'_>,
    ) -> Result<(), SourceError> {
        let (Some(scale), Some(stated)) = (architecture.scale, self.query_pre_attn_scalar) else {
            return Ok(());
        };
        let wide = self.num_hidden_layers == scale.wide_with_layers as u64;
        let fixed = if wide {
            self.hidden_size as usize / heads
        } else {
            head_dim
        };
        if stated == fixed as f64 {
            return Ok(());
        }
        let problem =
            format!("is {stated}, but llama.cpp uses {fixed} for a network of this shape");
        Err(check.refuse("query_pre_attn_scalar", problem))
    }

    /// The soft limits on attention and on logits.
    pub(super) fn soft_caps(
        &self,
        architecture: &Architecture,
        check: &Check<'_>,
    ) -> Result<(Option<f32>, Option<f32>), SourceError> {
        let fields = [
            ("attn_logit_softcapping", self.attn_logit_softcapping),
            ("final_logit_softcapping", self.final_logit_softcapping),
        ];
        let [attention, logits] = fields.map(|(field, cap)| {
            let cap = cap.map(|cap| check.real(field, cap, 1e-3, 1e6));
            cap.transpose()
        });
        let (attention, logits) = (attention?, logits?);
        let refused = match architecture.soft_caps {
            SoftCaps::Absent => return Ok((None, None)),
            SoftCaps::Both if attention.is_none() => Some("attn_logit_softcapping"),
            SoftCaps::Both if logits.is_none() => Some("final_logit_softcapping"),
            SoftCaps::Both => None,
            SoftCaps::Logits => attention.map(|_| "attn_logit_softcapping"),
        };
        match refused {
            None => Ok((attention, logits)),
            Some(field) => {
                let must = if architecture.soft_caps == SoftCaps::Both {
                    "always"
                } else {
                    "never"
                };
                let problem = format!(
                    "contradicts llama.cpp, which {must} has that limit for {}",
                    architecture.name
                );
                Err(check.refuse(field, problem))
            }
        }
    }
}
