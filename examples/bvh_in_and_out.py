"""A BVH recording of one person in, BVH files of two people out: your player and our partner.

Run it:
    python examples/bvh_in_and_out.py tests/data/wave_mixamo.bvh -o duet.bvh --seconds 5

Writes duet_person0.bvh (the player, on our skeleton) and duet_person1.bvh (the partner), and says
how the session went. Without --server, `contrapose react` starts a server and stops it.
"""

import argparse
import json
import subprocess
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("recording", type=Path, help="BVH of any humanoid")
parser.add_argument("-o", "--out", type=Path, default=Path("duet.bvh"))
parser.add_argument("--seconds", type=float, default=5)
parser.add_argument("--text", default="", help="words that steer the partner")
parser.add_argument("--server", help="host:port; default: a server of its own")
args = parser.parse_args()

report = args.out.with_suffix(".json")
command = ["contrapose", "react", str(args.recording), "-o", str(args.out), "--text", args.text]
command += ["--seconds", str(args.seconds), "--report", str(report)]
command += ["--server", args.server] if args.server else []
subprocess.run(command, check=True)

figures = json.loads(report.read_text())
print(f"{figures['frames']} frames, {figures['late_frames']} late, seed {figures['seed']}")
for path in sorted(args.out.parent.glob(f"{args.out.stem}_person?.bvh")):
    print(path)
