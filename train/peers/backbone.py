#!/usr/bin/env python3
"""Compares a pretrained network, as stride-train reads it, with transformers; and adapters, as it exports them, with PEFT.

    cargo build --release -p stride-train --example backbone_logits
    train/peers/backbone.py logits SmolLM2-135M --program target/release/examples/backbone_logits
    train/peers/backbone.py make qwen3 TOKENIZER QWEN    # random weights around a real vocabulary, where no such network is at hand
    stride-train export --run RUN --out MERGED && stride-train export --run RUN --out ADAPTER --adapter
    train/peers/backbone.py adapter RUN/base ADAPTER MERGED

Needs torch, transformers and, for the second, peft. Exit code 1 where a limit is exceeded.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

TEXTS = [
    "You are in the middle of a room. Looking quickly around you, you see a drawer 12, a desk 1 and a bed 1.",
    "go to sidetable 1; False",
    "The capital of France is Paris, and the capital of Italy is Rome.",
    "def main():  return 3.14  # unusual   spaces, and ünïcödé",
    "On the sidetable 1, you see a alarmclock 3, a creditcard 1, a desklamp 1, a keychain 1, and a pencil 3. " * 6,
]


def network(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def logits(args):
    model = network(args.model)
    tokenizer = Tokenizer.from_file(f"{args.model}/tokenizer.json")
    # Behind its own tokens stand the markers, in rows that nothing used or in new ones.
    rows = max(tokenizer.get_vocab().values()) + 1
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "logits"
        found = subprocess.run([args.program, args.model, out], input="\n".join(TEXTS), text=True, check=True,
                               stdout=subprocess.PIPE).stdout.splitlines()
        lines = [json.loads(line) for line in found]
        ours = numpy.fromfile(out, dtype="<f4")
    count = sum(len(line["tokens"]) for line in lines)
    ours = torch.from_numpy(ours.reshape(count, -1))
    start = worst = worst_nll = 0
    same = True
    for text, line in zip(TEXTS, lines, strict=True):
        tokens = line["tokens"]
        expected = tokenizer.encode(" " + text, add_special_tokens=False).ids
        assert tokens == expected, f"other tokens: {text!r}"
        with torch.no_grad():
            theirs = model(torch.tensor([tokens])).logits[0, :, :rows]
        mine = ours[start:start + len(tokens), :rows]
        start += len(tokens)
        worst = max(worst, ((mine - theirs).abs().max() / theirs.abs().max()).item())
        same &= bool((mine.argmax(1) == theirs.argmax(1)).all())
        # The markers' rows have a part in our normalization, which the other has not.
        whole = ours[start - len(tokens):start].double()
        nll = torch.nn.functional.cross_entropy(whole[:-1], torch.tensor(tokens[1:]), reduction="none")
        worst_nll = max(worst_nll, (nll - torch.tensor(line["nll"])).abs().max().item())
    print(f"{count} positions x {rows} logits: largest difference {worst:.1e} of the largest logit, top-1 "
          f"{'the same everywhere' if same else 'DIFFERS'}; training against token by token: {worst_nll:.1e} nats")
    return worst < 1e-3 and worst_nll < 1e-3


def make(args):
    """A small network with random weights in the form of a pretrained one."""
    from transformers import AutoConfig, AutoTokenizer

    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(f"{args.tokenizer}/tokenizer.json")
    rope = dict(rope_type="default", rope_theta=1e6)
    own = dict(head_dim=32) if args.model_type == "qwen3" else {}
    # Rows behind the last token, as Qwen has them.
    rows = (tokenizer.get_vocab_size() + 127) // 128 * 128
    config = AutoConfig.for_model(
        args.model_type, hidden_size=64, intermediate_size=160, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=4096, tie_word_embeddings=not args.untied, rope_parameters=rope, vocab_size=rows,
        bos_token_id=None, eos_token_id=None, **own)
    model = AutoModelForCausalLM.from_config(config).float()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 1:
                weight.add_(torch.randn_like(weight) * 0.2)
            else:
                weight.copy_(torch.randn_like(weight) * (1.5 / weight.shape[-1] ** 0.5))
    model.save_pretrained(args.out)
    AutoTokenizer.from_pretrained(args.tokenizer).save_pretrained(args.out)
    print(f"{args.model_type} with {sum(weight.numel() for weight in model.parameters())} weights in {args.out}")
    return True


def adapter(args):
    from peft import PeftModel

    merged = network(args.merged)
    tuned = PeftModel.from_pretrained(network(args.base), args.adapter).eval()
    tokenizer = Tokenizer.from_file(f"{args.merged}/tokenizer.json")
    markers = [tokenizer.token_to_id(name) for name in ("<|begin|>", "<|scene|>", "<|observation|>", "<|low|>", "<|end|>")]
    worst = 0
    for text in TEXTS:
        tokens = torch.tensor([markers + tokenizer.encode(" " + text, add_special_tokens=False).ids + markers])
        with torch.no_grad():
            theirs, mine = tuned(tokens).logits, merged(tokens).logits
        worst = max(worst, ((mine - theirs).abs().max() / theirs.abs().max()).item())
    print(f"PEFT's adapter beside the base against the merged network: {worst:.1e} of the largest logit")
    whole = tuned.merge_and_unload().state_dict()
    mine = load_file(f"{args.merged}/model.safetensors")
    difference = {name: ((whole[name] - tensor).abs().max() / tensor.abs().max()).item() for name, tensor in mine.items()}
    name = max(difference, key=difference.get)
    print(f"merge_and_unload against the merged weights, {len(mine)} tensors: {difference[name]:.1e} at most ({name})")
    return worst < 1e-3 and difference[name] < 1e-5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("logits", help="the network against transformers")
    command.add_argument("model", help="a Hugging Face folder")
    command.add_argument("--program", required=True, help="the example backbone_logits")
    command.set_defaults(run=logits)
    command = commands.add_parser("make", help="a small network of random weights around a vocabulary")
    command.add_argument("model_type", choices=["llama", "qwen2", "qwen3"])
    command.add_argument("tokenizer", help="a folder with tokenizer.json and tokenizer_config.json")
    command.add_argument("out", help="the folder to write")
    command.add_argument("--untied", action="store_true", help="an output matrix of its own")
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=make)
    command = commands.add_parser("adapter", help="an exported adapter against PEFT")
    command.add_argument("base", help="the folder base of the run")
    command.add_argument("adapter", help="what export --adapter wrote")
    command.add_argument("merged", help="what export wrote")
    command.set_defaults(run=adapter)
    args = parser.parse_args()
    sys.exit(0 if args.run(args) else 1)


if __name__ == "__main__":
    main()
