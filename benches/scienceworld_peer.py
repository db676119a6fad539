#!/usr/bin/env python3
"""The official ScienceWorld package as a peer: plays recorded actions through its `ScienceWorldEnv`.

Prints one JSON object: games, steps, load_s (seconds in `load`), seconds (in `step`, which also returns the room, the
inventory and the list of valid actions), final (each game's last score). With --record it also writes what it saw, in the
form of the transcripts, without asking for valid actions (so its times are then no measurement).

    python3 -m venv VENV && VENV/bin/pip install scienceworld==1.2.3
    VENV/bin/python benches/scienceworld_peer.py --jar ~/.cache/stride/scienceworld-1.2.3.jar \
        --transcripts expert-train.jsonl.zst --games 20

The package's episodes are not reproducible unless its JVM is told to give all objects one identity hash:
JAVA_TOOL_OPTIONS="-XX:+UnlockExperimentalVMOptions -XX:hashCode=2".
"""

import argparse
import io
import json
import os
import subprocess
import sys
import time


def transcripts(path, games, every):
    """The first `games` of every `every`-th line."""
    if path.endswith(".zst"):
        try:
            import zstandard

            raw = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(open(path, "rb"))
            lines = io.TextIOWrapper(raw, encoding="utf-8")
        except ImportError:
            unpack = ["zstd", "-dcq", "--long=27", path]
            lines = io.TextIOWrapper(subprocess.Popen(unpack, stdout=subprocess.PIPE).stdout, encoding="utf-8")
    else:
        lines = open(path, encoding="utf-8")
    taken = 0
    for index, line in enumerate(lines):
        if taken == games:
            break
        if index % every == 0 and line.strip():
            taken += 1
            yield json.loads(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jar", help="the simulator; the package's own by default")
    parser.add_argument("--transcripts", required=True, help="a .jsonl or .jsonl.zst file of recorded episodes")
    parser.add_argument("--games", type=int, default=20, help="how many to play (20)")
    parser.add_argument("--every", type=int, default=1, help="play every n-th episode of the file (1)")
    parser.add_argument("--record", help="write what is seen here, as transcripts")
    arguments = parser.parse_args()
    try:
        from scienceworld import ScienceWorldEnv
    except ImportError:
        sys.exit("the official package is missing: pip install scienceworld==1.2.3")

    jar = os.path.abspath(os.path.expanduser(arguments.jar)) if arguments.jar else None
    env = ScienceWorldEnv("", jar, envStepLimit=1000)
    if arguments.record:
        env.get_valid_action_object_combinations = lambda: []
    result = {"games": 0, "steps": 0, "load_s": 0.0, "seconds": 0.0, "final": []}
    beside = arguments.record and arguments.record + ".part"
    record = open(beside, "w", encoding="utf-8") if beside else None
    for game in transcripts(arguments.transcripts, arguments.games, arguments.every):
        begin = time.perf_counter()
        env.load(game["task"], game["variation"], "", generateGoldPath=False)
        result["load_s"] += time.perf_counter() - begin
        seen = {key: game[key] for key in ("task", "variation", "split")}
        if record:
            look = env.look()
            seen["description"] = env.get_task_description()
            seen["initial"] = {"observation": look.rstrip(), "look": look, "inventory": env.inventory()}
        seen["steps"] = []
        score = 0
        for step in game["steps"]:
            begin = time.perf_counter()
            observation, _, done, info = env.step(step["action"])
            result["seconds"] += time.perf_counter() - begin
            result["steps"] += 1
            score = info["score"]
            if record:
                seen["steps"].append(
                    {
                        "action": step["action"],
                        "observation": observation,
                        "look": info["look"],
                        "inventory": info["inv"],
                        "score": score,
                        "done": done,
                    }
                )
        result["games"] += 1
        result["final"].append(score)
        if record:
            record.write(json.dumps(seen) + "\n")
    if record:
        record.close()
        os.replace(beside, arguments.record)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
