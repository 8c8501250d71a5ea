"""`make fuzz`: python -m tests.fuzz --inputs 5000 --first 1; a table, and every failure.

Each failure names the target and the seed: `--only bvh --first 123 --inputs 1` does it again.
"""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import file_targets, wire_targets
from tests.fuzz.outcomes import fuzzed, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    names = [*file_targets.TARGETS, *wire_targets.TARGETS]
    parser.add_argument("--inputs", type=int, default=100, help="of each target (%(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    args = parser.parse_args()
    seeds, failures = range(args.first, args.first + args.inputs), 0
    for targets, is_wire in ((file_targets.TARGETS, False), (wire_targets.TARGETS, True)):
        chosen = {name: target for name, target in targets.items() if name in args.only}
        for name, target in chosen.items():
            found = fuzzed({name: target}, seeds, is_wire=is_wire)
            print(table(found).splitlines()[-1], flush=True)
            for failure in found[name].failures:
                print(f"  {failure}", flush=True)
            failures += len(found[name].failures)
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
