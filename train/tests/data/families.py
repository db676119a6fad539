#!/usr/bin/env python3
"""Makes families.json: what transformers computes for small networks of every architecture that stride-train trains on.

    pip install torch transformers numpy
    VENV/bin/python train/tests/data/families.py > train/tests/data/families.json

A case holds `config.json` as transformers writes it, names and shapes of the weights, a text's tokens, the logits behind every token, and of the
mean loss of the text the gradient of every weight (its length, and three of its elements). The weights are a function of their place (`weights`
here and in train/src/backbone/families.rs), so they need not stand here.
"""
import json
import sys
import tempfile
import warnings

import numpy
import torch
import transformers

TOKENS = [(7 * i * i + 3 * i + 1) % 40 for i in range(14)]
SIZES = dict(vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64)


def rope(theta):
    return dict(rope_type="default", rope_theta=theta)


CASES = {
    "llama": (transformers.LlamaConfig, dict(tie_word_embeddings=True, rms_norm_eps=1e-5, rope_parameters=rope(10000.0))),
    "llama, wide heads": (transformers.LlamaConfig, dict(head_dim=12, rope_parameters=rope(500000.0))),
    "qwen2, tied": (transformers.Qwen2Config, dict(tie_word_embeddings=True, rope_parameters=rope(1000000.0))),
    "qwen2, untied": (transformers.Qwen2Config, dict(num_key_value_heads=1, rms_norm_eps=1e-3, rope_parameters=rope(10000.0))),
    "qwen3, tied": (transformers.Qwen3Config, dict(head_dim=16, tie_word_embeddings=True, rope_parameters=rope(1000000.0))),
    "qwen3, untied": (transformers.Qwen3Config, dict(head_dim=8, rms_norm_eps=1e-3, rope_parameters=rope(10000.0))),
}


def weights(start, count):
    """Numbers in [-1, 1) with 16 bits, which look like chance: those of the places from `start` on."""
    x = numpy.arange(start, start + count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B1)
    x = (x ^ (x >> numpy.uint32(15))) * numpy.uint32(0x85EBCA77)
    x = x ^ (x >> numpy.uint32(13))
    return (x >> numpy.uint32(16)).astype(numpy.float32) / 32768 - 1


def case(kind, settings):
    config = kind(**{**SIZES, "bos_token_id": 0, "eos_token_id": 1, **settings})
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    shapes, start = [], 0
    for name, weight in model.named_parameters():
        values = torch.from_numpy(weights(start, weight.numel())).reshape(weight.shape) * 0.5
        weight.data = values if weight.dim() == 2 or name.endswith(".bias") else 1 + values
        shapes.append([name, list(weight.shape)])
        start += weight.numel()
    tokens = torch.tensor([TOKENS])
    logits = model(tokens, use_cache=False).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], tokens[0, 1:])
    loss.backward()
    gradients = {}
    for name, weight in model.named_parameters():
        flat = weight.grad.flatten()
        places = [0, len(flat) // 2, len(flat) - 1]
        gradients[name] = [number(flat.norm()), *(number(flat[at]) for at in places)]
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        with open(f"{folder}/config.json") as file:
            written = json.load(file)
    rows = [[number(logit) for logit in row] for row in logits.detach()]
    return dict(config=written, shapes=shapes, tokens=TOKENS, logits=rows, loss=number(loss), gradients=gradients)


def number(value):
    """As few digits as a float32 needs."""
    return float(f"{float(value):.8g}")


def line(value):
    return json.dumps(value, separators=(",", ":"))


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    made = {name: case(*settings) for name, settings in CASES.items()}
    parts = [f'"{name}":{{\n' + ",\n".join(f'"{key}":{line(value)}' for key, value in made[name].items()) + "\n}" for name in made]
    sys.stdout.write("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
