"""A training run from nothing: choreography, then two minutes of the starter's animator.

Run it:
    python examples/train_two_minutes.py --clips 200 --length minutes=2 -o runs/two_minutes

The same command goes on where an earlier one was stopped. Needs `pip install 'contrapose[train]'`.
"""

import argparse
import json
import subprocess
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "trainer/configs"


def contrapose(*words: object) -> None:
    if code := subprocess.call(["contrapose", *map(str, words)]):
        raise SystemExit(code)


parser = argparse.ArgumentParser()
parser.add_argument("--clips", type=int, default=200)
parser.add_argument("--length", default="minutes=2", help="minutes=M or steps=N")
parser.add_argument("--config", type=Path, default=CONFIGS / "starter-animator.toml")
parser.add_argument("-o", "--out", type=Path, default=Path("runs/two_minutes"))
args = parser.parse_args()

shards, run = args.out / "shards", args.out / "animator"
contrapose("data", "synth", "-o", shards, "--count", args.clips)
changes = ["--set", f"data={shards}", "--set", args.length]
contrapose("train", "animator", args.config, "--out", run, *changes)

log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
losses = [line["total"] for line in log if line["kind"] == "train"]
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f} in {log[-1]['step']} steps")
print(f"next: contrapose eval {run}/checkpoint.pt --data {shards} -o report.html")
