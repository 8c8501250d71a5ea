"""Store the golden set in a folder, or run it again and compare: see `tests/golden/__init__.py`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.golden.arrays import arrays_of, differences, hashes_of, read, rounded, write
from tests.golden.items import ITEMS, SMALL

HASHES, SUFFIX = "sha256.json", ".npz.xz"
EVERY = {**ITEMS, **SMALL}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("command", choices=["record", "compare"])
    parser.add_argument("folder", type=Path, help="a file for each item, and all hashes")
    parser.add_argument("--only", nargs="+", choices=ITEMS, metavar="ITEM", default=list(ITEMS))
    parser.add_argument("--small", action="store_true", help="those of the suite, rounded")
    parser.add_argument("--tolerance", type=float, default=0.0, help="of floats; 0: the same bits")
    args = parser.parse_args()
    if args.command == "record":
        return record_small(args.folder) if args.small else record(args.folder, args.only)
    return compare(args.folder, SMALL if args.small else args.only, args.tolerance)


def record(folder: Path, names: Iterable[str]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for name in names:
        arrays = arrays_of(ITEMS[name]())
        write(folder / f"{name}{SUFFIX}", arrays)
        hashes[name] = hashes_of(arrays)
    (folder / HASHES).write_text(json.dumps(hashes, indent=1) + "\n")
    return 0


def record_small(folder: Path) -> int:
    for name, run in SMALL.items():
        write(folder / f"{name}{SUFFIX}", rounded(arrays_of(run())))
    return 0


def compare(folder: Path, names: Iterable[str], tolerance: float) -> int:
    """Returns 1 if any differ."""
    same = {name: not reported(folder, name, tolerance) for name in names}
    print(f"{sum(same.values())} of {len(same)} items are the same")
    return int(not all(same.values()))


def reported(folder: Path, name: str, tolerance: float) -> list[str]:
    """What of an item differs from what is stored; printed, too."""
    lines = differences(read(folder / f"{name}{SUFFIX}"), arrays_of(EVERY[name]()), tolerance)
    for line in lines:
        print(f"{name}: {line}", flush=True)
    return lines


if __name__ == "__main__":
    sys.exit(main())
