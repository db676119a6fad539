#!/usr/bin/env python3
"""Does TensorBoard itself read a run's event file, and does it see what `metrics.jsonl` says?

    VENV/bin/pip install tensorboard
    VENV/bin/python train/tests/data/tensorboard_check.py RUN
"""

import json
import math
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

LEVELS = ["high", "low", "progress"]


def expected(line):
    """The named numbers of a line of metrics, as `train/src/bc/scalars.rs` names them."""
    if line["kind"] == "train":
        yield "train/loss", line["loss"]
        yield "train/learning_rate", line["lr"]
        yield "train/tokens_per_second", line["tokens_per_second"]
        for level, value in zip(LEVELS, line["nll"]):
            yield f"train/nll/{level}", value
    elif line["kind"] == "eval":
        for level, value in zip(LEVELS, line["exact"]):
            yield f"held_out/exact/{level}", value


def main():
    run = Path(sys.argv[1])
    accumulator = EventAccumulator(str(run), size_guidance={SCALARS: 0})
    accumulator.Reload()
    seen = {}
    for tag in accumulator.Tags()["scalars"]:
        for event in accumulator.Scalars(tag):
            seen[tag, event.step] = event.value
    checked = 0
    for text in (run / "metrics.jsonl").read_text().splitlines():
        line = json.loads(text)
        for tag, value in expected(line):
            if value is None:
                assert (tag, line["step"]) not in seen, f"{tag} at {line['step']} is there without a value"
                continue
            found = seen.get((tag, line["step"]))
            assert found is not None, f"{tag} at step {line['step']} is missing"
            assert math.isclose(found, value, rel_tol=1e-6), f"{tag} at {line['step']}: {found} is not {value}"
            checked += 1
    assert checked > 0, "no metrics to compare"
    print(f"TensorBoard reads {len(seen)} numbers; {checked} compared with metrics.jsonl, all equal")


if __name__ == "__main__":
    main()
