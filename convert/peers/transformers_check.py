#!/usr/bin/env python3
"""Compares what llama.cpp computes for a file of stride-convert with what transformers computes for its source.

For every architecture a small model of random weights is made with transformers (tied and untied, grouped heads, scaled
positions, windows), exported as F32, loaded by llama.cpp (the example `logits` of stride-engine) and compared: the logits
of every position, relative to the largest one, and the tokens of every text of the corpus that the converter itself
uses. Tokenizers are real ones where a folder of them is given; else small ones are trained in the pipelines of GPT-2,
SmolLM2, Llama 3, Qwen 2 (byte level), Llama 2 and Gemma (SentencePiece) and a Unigram.

Needs: pip install torch transformers tokenizers safetensors numpy

    transformers_check.py --convert target/release/stride-convert --logits target/release/examples/logits \\
        [--tokenizers DIR] [--model DIR ...] [--json OUT] [--only NAME]

--tokenizers DIR holds a folder with tokenizer.json (and tokenizer_config.json) for each of llama2, llama3, qwen3, gemma3.
--model DIR adds a whole checkpoint, for example SmolLM2-135M. Exit code 1 when a line fails.
"""

import argparse
import copy
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

if {"-h", "--help"} & set(sys.argv[1:]):
    # Without what only a comparison needs.
    print(__doc__)
    sys.exit(0)

import numpy as np
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "src/source/tokenizer/foreign/corpus.jsonl"
LIMIT = 1e-3
CONTEXT = 512

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SMALL = dict(hidden_size=64, intermediate_size=160, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2)


def texts():
    return [json.loads(line) for line in CORPUS.read_text().splitlines()]


def byte_level(expression, digits=False, ignore_merges=False, normalizer=None, special=("<|endoftext|>",), first=None):
    """A byte-level BPE with the given splitting, trained on the corpus."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if expression is None:
        steps = [pre_tokenizers.ByteLevel(add_prefix_space=False)]
    else:
        steps = [
            pre_tokenizers.Split(Regex(expression), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    if digits:
        steps.insert(0, pre_tokenizers.Digits(individual_digits=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    if first:
        token = (first, tokenizer.token_to_id(first))
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A", special_tokens=[token])
    return tokenizer


def pieces(prefix):
    """A SentencePiece-like BPE with bytes for what has no token: Llama 2 (with a space in front), Gemma (without)."""
    trained = Tokenizer(models.BPE())
    replace = normalizers.Replace(" ", "\u2581")
    trained.normalizer = replace
    trained.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=special, limit_alphabet=150, show_progress=False)
    trained.train_from_iterator(texts(), trainer)
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    tokenizer = Tokenizer(
        models.BPE(vocab=model["vocab"], merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), replace]) if prefix else replace
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    token = ("<s>", tokenizer.token_to_id("<s>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[token])
    return tokenizer


def unigram():
    """The most likely pieces, spaces as they stand: T5's model without its map of characters."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=900, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    # llama.cpp ends the text of a token at U+0000, so no token may hold it; texts may, as something unknown.
    tokenizer.train_from_iterator([text.replace("\0", "") for text in texts()], trainer)
    # SentencePiece's scores are 32-bit numbers, and so are those of a GGUF.
    whole = json.loads(tokenizer.to_str())
    whole["model"]["vocab"] = [[text, float(np.float32(score))] for text, score in whole["model"]["vocab"]]
    return Tokenizer.from_str(json.dumps(whole))


def trained(name):
    bos = "<|begin_of_text|>"
    makers = {
        "gpt2": lambda: byte_level(None),
        "smollm": lambda: byte_level(None, digits=True, special=("<|endoftext|>", "<|im_start|>", "<|im_end|>")),
        "llama3": lambda: byte_level(LLAMA3, ignore_merges=True, special=(bos, "<|eot_id|>"), first=bos),
        "qwen2": lambda: byte_level(QWEN2, normalizer=normalizers.NFC(), special=("<|endoftext|>", "<|im_end|>")),
        "llama2": lambda: pieces(True),
        "gemma": lambda: pieces(False),
    }
    return makers[name]()


REAL = {"llama2": "llama2", "llama3": "llama3", "qwen2": "qwen3", "gemma": "gemma3"}


def cases():
    """Name, configuration class, its arguments, tokenizer."""
    rope = dict(rope_type="default", rope_theta=10000.0)
    llama3 = dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=64,
    )
    yarn = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64)
    linear = dict(rope_type="linear", rope_theta=10000.0, factor=2.0)
    longrope = dict(
        rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=CONTEXT,
        short_factor=[1.0 + 0.05 * i for i in range(8)], long_factor=[1.5 + 0.5 * i for i in range(8)],
    )
    T = transformers
    yield "llama, tied", T.LlamaConfig, dict(tie_word_embeddings=True, rope_parameters=rope), "gpt2"
    yield "llama, untied, llama3 positions", T.LlamaConfig, dict(rope_parameters=llama3), "llama3"
    yield "llama, linear positions", T.LlamaConfig, dict(rope_parameters=linear), "llama2"
    yield "llama, yarn positions", T.LlamaConfig, dict(rope_parameters=yarn), "smollm"
    yield "llama (SmolLM2 shape), tied", T.LlamaConfig, dict(
        tie_word_embeddings=True, hidden_size=96, num_attention_heads=3, num_key_value_heads=1,
        rope_parameters=dict(rope_type="default", rope_theta=100000.0),
    ), "smollm"
    yield "llama, wide heads", T.LlamaConfig, dict(head_dim=32, rope_parameters=rope), "gpt2"
    yield "mistral", T.MistralConfig, dict(rope_parameters=rope, sliding_window=4096), "llama2"
    yield "qwen2, tied", T.Qwen2Config, dict(tie_word_embeddings=True, rope_parameters=rope), "qwen2"
    yield "qwen2, yarn positions", T.Qwen2Config, dict(rope_parameters=yarn), "qwen2"
    yield "qwen3, tied", T.Qwen3Config, dict(head_dim=32, tie_word_embeddings=True, rope_parameters=rope), "qwen2"
    yield "qwen3, untied, yarn", T.Qwen3Config, dict(head_dim=16, rope_parameters=yarn), "qwen2"
    yield "gemma2", T.Gemma2Config, dict(
        head_dim=32, query_pre_attn_scalar=32, sliding_window=16, rope_parameters=rope,
        attn_logit_softcapping=50.0, final_logit_softcapping=30.0,
    ), "gemma"
    yield "gemma3", T.Gemma3TextConfig, dict(
        head_dim=32, query_pre_attn_scalar=32, sliding_window=16, num_hidden_layers=7,
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0),
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
        ),
    ), "gemma"
    yield "gemma3, untied", T.Gemma3TextConfig, dict(
        head_dim=16, query_pre_attn_scalar=16, sliding_window=32, num_hidden_layers=6, tie_word_embeddings=False,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"] * 2,
        rope_parameters=dict(
            full_attention=dict(rope_type="default", rope_theta=1000000.0),
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
        ),
    ), "gemma"
    phi = dict(sliding_window=None, pad_token_id=0)
    yield "phi3", T.Phi3Config, dict(rope_parameters=rope, **phi), "llama2"
    yield "phi3, tied, part of a head", T.Phi3Config, dict(
        tie_word_embeddings=True, rope_parameters={**rope, "partial_rotary_factor": 0.5}, **phi
    ), "llama2"
    yield "phi3, longrope, short", T.Phi3Config, dict(
        rope_parameters=longrope, max_position_embeddings=4 * CONTEXT, original_max_position_embeddings=CONTEXT, **phi
    ), "llama2"
    yield "phi3, longrope, long", T.Phi3Config, dict(
        rope_parameters=dict(longrope, original_max_position_embeddings=32), max_position_embeddings=4 * CONTEXT,
        original_max_position_embeddings=32, **phi,
    ), "llama2"


def make(folder, kind, settings, tokenizer, seed):
    """A checkpoint of random weights in `folder`: norms around their usual values, biases that do something."""
    torch.manual_seed(seed)
    # transformers writes into the dictionaries that it is given.
    settings = copy.deepcopy(settings)
    size = tokenizer.get_vocab_size()
    config = kind(**{**SMALL, "max_position_embeddings": 2048, **settings, "vocab_size": size})
    config.bos_token_id = tokenizer.token_to_id("<s>")
    config.eos_token_id = None
    config.pad_token_id = None
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
            else:
                weight.copy_(torch.randn_like(weight) * (1.5 / weight.shape[-1] ** 0.5))
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def compare(arguments, folder, work):
    """Exports the checkpoint and returns what was measured."""
    file, lines, out = work / "model.gguf", work / "texts.jsonl", work / "logits.f32"
    export = [arguments.convert, "export", str(folder), "-o", str(file), "--type", "f32", "--force"]
    done = subprocess.run(export, capture_output=True, text=True)
    if done.returncode != 0:
        return dict(error=done.stderr.strip().splitlines()[-1])
    reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
    reference.no_padding()
    reference.no_truncation()
    normalizer = reference.normalizer
    composes = isinstance(normalizer, normalizers.NFC)
    corpus = [text for text in texts() if not (composes and normalizer.normalize_str(text) != text)]
    expected = [reference.encode(text).ids for text in corpus]
    sequences = [ids[:200] for ids in expected if len(ids) > 40][:4]
    tokens, logits = llama_cpp(arguments, file, lines, out, corpus, sequences)
    wrong = [text for text, got, want in zip(corpus, tokens, expected) if got != want]
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    worst, same, positions, at = 0.0, 0, 0, 0
    for ids in sequences:
        with torch.no_grad():
            want = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
        got = logits[at : at + len(ids)]
        at += len(ids)
        worst = max(worst, float(np.abs(got - want).max() / np.abs(want).max()))
        same += int((got.argmax(1) == want.argmax(1)).sum())
        positions += len(ids)
    return dict(
        relative=worst, positions=positions, top1=same / positions, texts=len(corpus), wrong_texts=len(wrong),
        first_wrong=wrong[0] if wrong else None,
    )


def llama_cpp(arguments, file, lines, out, corpus, sequences):
    lines.write_text("".join(json.dumps(entry) + "\n" for entry in corpus + sequences))
    command = [arguments.logits, str(file), str(lines), str(out), str(CONTEXT)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"llama.cpp failed on {file}:\n{done.stderr[-2000:]}")
    tokens = [json.loads(line) for line in done.stdout.splitlines()]
    count = sum(map(len, sequences))
    return tokens[: len(corpus)], np.fromfile(out, dtype="<f4").reshape(count, -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convert", required=True, help="the program stride-convert")
    parser.add_argument("--logits", required=True, help="the example logits of stride-engine")
    parser.add_argument("--tokenizers", type=pathlib.Path, help="folder of real tokenizers")
    parser.add_argument("--model", type=pathlib.Path, action="append", default=[], help="a whole checkpoint")
    parser.add_argument("--only", help="only cases whose name holds this")
    parser.add_argument("--json", type=pathlib.Path, help="write the table here as well")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    rows = []

    def measure(name, folder, work):
        row = dict(name=name, **compare(arguments, folder, work))
        row["ok"] = "error" not in row and row["relative"] <= LIMIT and row["wrong_texts"] == 0
        rows.append(row)
        said = row.get("error") or (
            f"{row['relative']:.1e} over {row['positions']} positions, top-1 {row['top1']:.4f}, "
            f"{row['texts'] - row['wrong_texts']}/{row['texts']} texts"
        )
        print(f"{'ok  ' if row['ok'] else 'FAIL'} {name}: {said}", flush=True)

    for seed, (name, kind, settings, tokenizer) in enumerate(cases()):
        if arguments.only and arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            folder = work / "source"
            folder.mkdir()
            make(folder, kind, settings, trained(tokenizer), seed)
            measure(f"{name} ({tokenizer})", folder, work)
    for tokenizer, real in REAL.items() if arguments.tokenizers else ():
        name = f"llama, real tokenizer of {real}"
        if arguments.only and arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            folder = work / "source"
            folder.mkdir()
            source = arguments.tokenizers / real
            kind = transformers.LlamaConfig
            settings = dict(hidden_size=32, num_hidden_layers=1, tie_word_embeddings=True)
            make(folder, kind, settings, Tokenizer.from_file(str(source / "tokenizer.json")), 1)
            for file in ("tokenizer.json", "tokenizer_config.json"):
                if (source / file).exists():
                    shutil.copy(source / file, folder / file)
            measure(name, folder, work)
    for folder in arguments.model:
        with tempfile.TemporaryDirectory() as work:
            measure(folder.name, folder, pathlib.Path(work))
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        if not arguments.only or arguments.only in "unigram":
            (work / "source").mkdir()
            make(work / "source", transformers.LlamaConfig, {}, unigram(), 99)
            measure("llama (unigram)", work / "source", work)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    failed = [row["name"] for row in rows if not row["ok"]]
    print(f"{len(rows) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
