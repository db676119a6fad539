#!/usr/bin/env python3
"""Compares adapters that stride-convert merges, or writes as a GGUF, with what PEFT and llama.cpp make of them.

For every line a small model of random weights is made with transformers and an adapter of random weights with PEFT (B is
not zero). Then, as F32, tensor by tensor:

* `lora --merge` against PEFT's merge_and_unload, saved and exported; and, with --export-lora, against
* `lora --adapter` merged by llama.cpp's llama-export-lora into the exported base.

What counts is the largest difference of a weight over the largest weight of its tensor. A base in BF16 is merged by PEFT
in BF16, which rounds the sum; here it is added in F32, so that line may differ by a rounding of BF16 (limit 2^-7), the
others by those of F32 (--most). Exit code 1 when a line is above its limit.

Needs: pip install torch transformers tokenizers safetensors numpy peft gguf

    lora.py --convert target/release/stride-convert [--export-lora llama-export-lora] [--most 1e-6] [--json OUT]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

if {"-h", "--help"} & set(sys.argv[1:]):
    # Without what only a comparison needs.
    print(__doc__)
    sys.exit(0)

import numpy as np
import peft
import torch
import transformers
from gguf import GGUFReader

from transformers_check import make, trained

BF16_LIMIT = 2.0**-7
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
ALL = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]


def cases():
    """Name, configuration class, its arguments, those of the adapter, type of the base."""
    rope = dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0))
    T = transformers
    f32, bf16 = torch.float32, torch.bfloat16
    plain = dict(r=8, lora_alpha=16, target_modules=ALL)
    yield "llama, tied", T.LlamaConfig, dict(tie_word_embeddings=True, **rope), plain, f32
    yield "llama, attention only, rank 1", T.LlamaConfig, rope, dict(r=1, lora_alpha=4, target_modules=ATTENTION), f32
    yield "llama, rank-stabilized", T.LlamaConfig, rope, dict(plain, r=16, use_rslora=True), f32
    yield "llama, all-linear with the output", T.LlamaConfig, rope, dict(plain, target_modules=[*ALL, "lm_head"]), f32
    yield "llama in bf16", T.LlamaConfig, rope, plain, bf16
    yield "mistral", T.MistralConfig, dict(sliding_window=4096, **rope), plain, f32
    yield "qwen2", T.Qwen2Config, rope, plain, f32
    yield "qwen3", T.Qwen3Config, dict(head_dim=32, **rope), plain, f32
    yield "gemma3", T.Gemma3TextConfig, dict(
        head_dim=32, query_pre_attn_scalar=32, sliding_window=16, num_hidden_layers=6,
        rope_parameters=dict(
            full_attention=dict(rope_type="default", rope_theta=1000000.0),
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
        ),
    ), plain, f32
    phi = dict(sliding_window=None, pad_token_id=0, **rope)
    fused = dict(plain, target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"])
    yield "phi3, fused matrices", T.Phi3Config, phi, fused, f32


def prepare(work, kind, settings, adapter, dtype, seed):
    """The base, the adapter, and what PEFT makes of the two, each in its folder."""
    base, lora, merged = (work / name for name in ("base", "adapter", "merged"))
    base.mkdir()
    tokenizer = "llama2" if kind in (transformers.Phi3Config, transformers.MistralConfig) else "gpt2"
    tokenizer = "gemma" if kind is transformers.Gemma3TextConfig else tokenizer
    make(base, kind, settings, trained(tokenizer), seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    if dtype != torch.float32:
        model.save_pretrained(base)
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **adapter))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".lora_B." in name:
                weight.copy_(torch.randn_like(weight) * 0.1)
    # With a copy of the matrix that it changes, PEFT saves an adapter of the output that fits no other base.
    model.save_pretrained(lora, save_embedding_layers=False)
    model.merge_and_unload().save_pretrained(merged)
    (merged / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
    return base, lora, merged


def call(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{(done.stderr or done.stdout)[-2000:]}")


def tensors(file):
    return {tensor.name: tensor.data.astype(np.float64) for tensor in GGUFReader(file).tensors}


def worst(ours, theirs):
    """The largest relative difference of a weight, and its tensor."""
    if ours.keys() != theirs.keys():
        raise SystemExit(f"other tensors: {sorted(ours.keys() ^ theirs.keys())[:4]}")
    differences = {name: np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max() for name in theirs}
    name = max(differences, key=differences.get)
    return float(differences[name]), name


def compare(arguments, work, base, lora, merged):
    convert = arguments.convert
    files = {name: work / f"{name}.gguf" for name in ("ours", "peft", "base", "adapter", "llama")}
    call(convert, "lora", lora, "--base", base, "--merge", "-t", "f32", "-o", files["ours"])
    call(convert, "export", merged, "-t", "f32", "-o", files["peft"])
    call(convert, "export", base, "-t", "f32", "-o", files["base"])
    ours, reference = tensors(files["ours"]), tensors(files["peft"])
    plain = tensors(files["base"])
    changed = sum(not np.array_equal(ours[name], plain[name]) for name in ours)
    row = dict(changed=changed, tensors=len(ours))
    row["peft"], row["peft_tensor"] = worst(ours, reference)
    if arguments.export_lora:
        call(convert, "lora", lora, "--base", base, "--adapter", "-t", "f32", "-o", files["adapter"])
        call(arguments.export_lora, "-m", files["base"], "--lora", files["adapter"], "-o", files["llama"])
        row["llama"], row["llama_tensor"] = worst(tensors(files["llama"]), ours)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convert", required=True, help="the program stride-convert")
    parser.add_argument("--export-lora", help="llama.cpp's llama-export-lora")
    parser.add_argument("--most", type=float, default=1e-6, help="the largest difference that passes, for F32 (1e-6)")
    parser.add_argument("--only", help="only lines whose name holds this")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures here as well")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    rows = []
    for seed, (name, kind, settings, adapter, dtype) in enumerate(cases()):
        if arguments.only and arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            folders = prepare(work, kind, settings, adapter, dtype, seed)
            row = dict(name=name, **compare(arguments, work, *folders))
        limit = arguments.most if dtype == torch.float32 else BF16_LIMIT
        row["ok"] = row["peft"] <= limit and row.get("llama", 0.0) <= arguments.most and row["changed"] > 0
        rows.append(row)
        llama = f", llama.cpp {row['llama']:.1e} ({row['llama_tensor']})" if "llama" in row else ""
        print(f"{'ok  ' if row['ok'] else 'FAIL'} {name}: {row['changed']} of {row['tensors']} tensors changed, "
              f"PEFT {row['peft']:.1e} ({row['peft_tensor']}){llama}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    failed = sum(not row["ok"] for row in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
