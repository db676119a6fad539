//! What a pretrained network makes of texts, for `train/peers/backbone.py`: reads texts from the standard input, one a line, prints
//! their tokens and −log p of each as JSON, and writes the logits of every position (f32) into a file.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use stride_firmware_config::level::PolicyLevel;
use stride_train::backbone::Backbone;
use stride_train::model::decoder::Decoder;
use stride_train::model::network::Network;
use stride_train::model::packed::{LossWeights, PackedBatch};
use stride_train::tokens::Sample;

fn main() {
    let mut args = std::env::args().skip(1);
    let usage = "usage: backbone_logits FOLDER LOGITS < TEXTS";
    let (folder, logits) = (args.next().expect(usage), args.next().expect(usage));
    let backbone = Backbone::load(Path::new(&folder), 4096).unwrap();
    let network = Network::new(backbone.layout.clone());
    let weights = network.weights(&backbone.weights).unwrap();
    let mut decoder = Decoder::new(network.clone(), backbone.weights);
    let mut file = std::io::BufWriter::new(std::fs::File::create(logits).unwrap());
    for line in std::io::stdin().lock().lines() {
        let tokens = backbone.tokenizer.text(&line.unwrap()).unwrap().to_vec();
        let sample = Sample {
            level: PolicyLevel::Low,
            frame_len: 1,
            head_len: 0,
            weight: 1.0,
            tokens: tokens.clone(),
        };
        // As in training.
        let batch = Arc::new(PackedBatch::new([&sample], &LossWeights::UTTERANCE));
        let nll = network.likelihoods(&weights, &batch).unwrap().nll;
        // As in play, token by token.
        let mut row = decoder.prompt(&tokens[..1]).unwrap().0;
        for at in 1..=tokens.len() {
            for logit in &row {
                file.write_all(&logit.to_le_bytes()).unwrap();
            }
            if let Some(token) = tokens.get(at) {
                row = decoder.extend(&[*token]).unwrap();
            }
        }
        println!("{}", serde_json::json!({ "tokens": tokens, "nll": nll }));
    }
    file.flush().unwrap();
}
