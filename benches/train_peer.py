#!/usr/bin/env python3
"""PyTorch as a peer of the trainer: full optimizer steps of the same network, in f32 eager mode on the CPU.

`stride-train bench --peer PYTHON` runs it. It reads the folder that the bench wrote (`config.json`, `model.safetensors`),
makes the same made-up tokens, takes the same steps (loss over all tokens, gradient clipped to norm 1, AdamW with decay on
matrices) and prints one JSON object: tokens_per_second (of the median step), seconds (each step), losses (each step),
peak_bytes (of resident memory), parameters, torch, threads, model. The losses show that both compute the same.

    python3 -m venv VENV && VENV/bin/pip install torch transformers
    VENV/bin/python benches/train_peer.py FOLDER --model plain --batch 16 --length 256 --steps 5 --warmup 2 --threads 2

--model plain is a module written for speed (q, k, v and gate, up as one product each, fused attention and norm);
--model transformers is the Hugging Face class, of a Qwen2 or a Qwen3 too.
"""

import argparse
import json
import os
import statistics
import struct
import time

import torch
import torch.nn.functional as F
from torch import nn


def tokens(step, batch, length, vocab):
    """The made-up tokens of a step: batch x (length + 1). The same generator as in the bench."""
    state = step + 1
    out = []
    for _ in range(batch * (length + 1)):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 33) % vocab)
    return torch.tensor(out).view(batch, length + 1)


def read_weights(path):
    """A safetensors file of f32 tensors."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        data = bytearray(file.read())
    weights = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.float32, offset=start, count=(end - start) // 4)
        weights[name] = flat.view(entry["shape"]).clone()
    return weights


class PlainBlock(nn.Module):
    def __init__(self, config, weights, layer):
        super().__init__()
        take = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        stack = lambda *names: nn.Parameter(torch.cat([take(name) for name in names]))
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.dim, self.eps = config["head_dim"], config["rms_norm_eps"]
        self.norm1 = stack("input_layernorm")
        self.qkv = stack("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        self.out = stack("self_attn.o_proj")
        self.norm2 = stack("post_attention_layernorm")
        self.gate_up = stack("mlp.gate_proj", "mlp.up_proj")
        self.down = stack("mlp.down_proj")

    def forward(self, x, cos, sin):
        batch, length, hidden = x.shape
        qkv = F.linear(F.rms_norm(x, (hidden,), self.norm1, self.eps), self.qkv)
        qkv = qkv.view(batch, length, -1, self.dim).transpose(1, 2)
        q, k, v = qkv.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.heads != self.kv_heads)
        x = x + F.linear(attended.transpose(1, 2).reshape(batch, length, -1), self.out)
        gate, up = F.linear(F.rms_norm(x, (hidden,), self.norm2, self.eps), self.gate_up).chunk(2, dim=-1)
        return x + F.linear(F.silu(gate) * up, self.down)


def turn(x, cos, sin):
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


class Plain(nn.Module):
    def __init__(self, config, weights):
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(weights["model.embed_tokens.weight"])
        self.blocks = nn.ModuleList(PlainBlock(config, weights, i) for i in range(config["num_hidden_layers"]))
        self.norm = nn.Parameter(weights["model.norm.weight"])
        self.output = None if config["tie_word_embeddings"] else nn.Parameter(weights["lm_head.weight"])

    def forward(self, inputs):
        config = self.config
        half = config["head_dim"] // 2
        frequency = config["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.arange(inputs.shape[1], dtype=torch.float64)[:, None] * frequency
        cos, sin = angles.cos().float(), angles.sin().float()
        x = F.embedding(inputs, self.embedding)
        for block in self.blocks:
            x = block(x, cos, sin)
        x = F.rms_norm(x, (config["hidden_size"],), self.norm, config["rms_norm_eps"])
        return F.linear(x, self.embedding if self.output is None else self.output)


def load(folder, kind):
    if kind == "transformers":
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
        model.train()
        return model, lambda inputs: model(input_ids=inputs, use_cache=False).logits
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    if config["model_type"] != "llama":
        raise SystemExit(f"--model plain is a llama, not a {config['model_type']}: take --model transformers")
    model = Plain(config, read_weights(os.path.join(folder, "model.safetensors")))
    return model, model


def peak_bytes():
    with open("/proc/self/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--model", choices=["plain", "transformers"], default="plain")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    model, logits_of = load(args.folder, args.model)
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.05},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.95), eps=1e-8, fused=True)
    with open(os.path.join(args.folder, "config.json"), encoding="utf-8") as file:
        vocab = json.load(file)["vocab_size"]

    seconds, losses = [], []
    for step in range(args.warmup + args.steps):
        batch = tokens(step, args.batch, args.length, vocab)
        inputs, targets = batch[:, :-1].contiguous(), batch[:, 1:].contiguous()
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        logits = logits_of(inputs)
        loss = F.cross_entropy(logits.view(-1, vocab), targets.view(-1))
        loss.backward()
        del logits
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step >= args.warmup:
            seconds.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "tokens_per_second": args.batch * args.length / statistics.median(seconds),
                "seconds": seconds,
                "losses": losses,
                "peak_bytes": peak_bytes(),
                "parameters": sum(p.numel() for p in parameters),
                "torch": torch.__version__,
                "threads": args.threads,
                "model": args.model,
            }
        )
    )


if __name__ == "__main__":
    main()
