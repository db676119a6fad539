#!/usr/bin/env python3
"""Compares stride-convert with llama-quantize, recipe by recipe, on one model.

Both start from the same weights: SOURCE is a GGUF of F32, F16 or BF16, or a Hugging Face folder, of which stride-convert
first makes an F32 GGUF for llama-quantize. For every recipe the script says for how many tensors the types and the stored
bytes are equal, the largest ratio of the relative RMS errors (ours over theirs, 1 where bytes are equal), the seconds and
the peak resident memory of either program. It ends with exit code 1 when a type differs or a ratio is above --most.

Needs numpy and gguf (PyPI). Example:

    python3 convert/peers/quantize.py smollm2-135m-f32.gguf --llama-quantize build/bin/llama-quantize \\
        --stride-convert target/release/stride-convert --json quantize.json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if {"-h", "--help"} & set(sys.argv[1:]):
    # Without what only a comparison needs.
    print(__doc__)
    sys.exit(0)

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

RECIPES = (
    "q8_0 q6_k q5_k_m q5_k_s q5_1 q5_0 q4_k_m q4_k_s q4_1 q4_0 q3_k_l q3_k_m q3_k_s q2_k f16 bf16"
).split()


def measured(command, log):
    """Runs a command; its seconds and peak resident memory in MiB.

    The peak is read while the program runs: what the system reports at its end counts this script's own memory, too, from
    before the program replaced it.
    """
    peak = 0
    with open(log, "wb") as output:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while child.poll() is None:
            try:
                status = Path(f"/proc/{child.pid}/status").read_text()
                lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
                peak = max([peak, *(int(line[1]) for line in lines)])
            except OSError:
                pass  # It has just ended.
            time.sleep(0.005)
        seconds = time.perf_counter() - start
    if child.returncode != 0:
        tail = Path(log).read_text(errors="replace")[-2000:]
        sys.exit(f"{' '.join(map(str, command))} failed with {child.returncode}:\n{tail}")
    # Linux counts in KiB.
    return seconds, peak / 1024


def weights(tensor):
    return dequantize(tensor.data, tensor.tensor_type).astype(np.float64).reshape(-1)


def relative_rms(original, stored):
    scale = np.sqrt(np.mean(np.square(original)))
    return float(np.sqrt(np.mean(np.square(stored - original))) / scale) if scale > 0 else 0.0


def compare(source, ours, theirs):
    """Types, bytes and errors of two files, tensor by tensor."""
    original = {tensor.name: tensor for tensor in GGUFReader(source).tensors}
    mine = {tensor.name: tensor for tensor in GGUFReader(ours).tensors}
    rows = []
    for their in GGUFReader(theirs).tensors:
        our = mine.pop(their.name, None)
        if our is None:
            sys.exit(f"{ours} has no tensor {their.name}")
        same_type = our.tensor_type == their.tensor_type
        same_bytes = same_type and np.array_equal(our.data, their.data)
        ratio = 1.0
        if not same_bytes:
            base = weights(original[their.name])
            theirs_off = relative_rms(base, weights(their))
            ours_off = relative_rms(base, weights(our))
            ratio = ours_off / theirs_off if theirs_off > 0 else (1.0 if ours_off == 0 else float("inf"))
        rows.append({
            "name": their.name,
            "ours": our.tensor_type.name,
            "theirs": their.tensor_type.name,
            "same_bytes": bool(same_bytes),
            "error_ratio": ratio,
        })
    if mine:
        sys.exit(f"{theirs} has no tensor {next(iter(mine))}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a GGUF, or a Hugging Face folder")
    parser.add_argument("--llama-quantize", default="llama-quantize", help="the program to compare with")
    parser.add_argument("--stride-convert", default="stride-convert", help="ours")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, help="by default all but q2_k_s, which needs --imatrix")
    parser.add_argument("--imatrix", type=Path, help="an importance matrix for both")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of either program")
    parser.add_argument("--most", type=float, default=1.01, help="the largest error ratio that passes (1.01)")
    parser.add_argument("--work", type=Path, help="where files are made; a temporary folder by default")
    parser.add_argument("--json", type=Path, help="write all figures, tensor by tensor")
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        results = run(options, Path(folder))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    good = all(row["types_equal"] == row["tensors"] and row["worst_ratio"] <= options.most for row in results)
    return 0 if good else 1


def run(options, folder):
    ours, theirs, log = folder / "ours.gguf", folder / "theirs.gguf", folder / "log"
    stored = options.source
    command = "requantize"
    if options.source.is_dir():
        command, stored = "export", folder / "f32.gguf"
        measured([options.stride_convert, "export", options.source, "-o", stored, "--type", "f32"], log)
    matrix = ["--imatrix", options.imatrix] if options.imatrix else []
    print("| recipe | types equal | bytes equal | error, ours / theirs | seconds, ours / theirs | MiB, ours / theirs |")
    print("|---|---|---|---|---|---|")
    results = []
    for recipe in options.recipes:
        our_seconds, our_memory = measured(
            [options.stride_convert, command, options.source, "-o", ours, "--force", "--type", recipe, *matrix], log)
        their_seconds, their_memory = measured(
            [options.llama_quantize, *matrix, stored, theirs, recipe.upper(), str(options.threads)], log)
        rows = compare(stored, ours, theirs)
        result = {
            "recipe": recipe,
            "tensors": len(rows),
            "types_equal": sum(row["ours"] == row["theirs"] for row in rows),
            "bytes_equal": sum(row["same_bytes"] for row in rows),
            "worst_ratio": max(row["error_ratio"] for row in rows),
            "seconds": [round(our_seconds, 2), round(their_seconds, 2)],
            "peak_mib": [round(our_memory), round(their_memory)],
            "each": rows,
        }
        results.append(result)
        print("| {recipe} | {types_equal}/{tensors} | {bytes_equal}/{tensors} | {worst_ratio:.4f} | "
              "{seconds[0]} / {seconds[1]} | {peak_mib[0]} / {peak_mib[1]} |".format(**result), flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
