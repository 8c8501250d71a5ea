"""Keep the wire contract as it is now: tests/data/contract/minor_N.binpb, N = PROTOCOL_MINOR.

    python -m tests.data.make_contract

Run it when PROTOCOL_MINOR has grown. What was kept once never changes: the command refuses a file
that is there and says something else. `tests/proto/test_compatibility.py` compares.
"""

from __future__ import annotations

import importlib.resources
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from engine.serving.server_info import PROTOCOL_MINOR

KEPT = Path(__file__).resolve().parent / "contract"
PROTO = Path(__file__).resolve().parents[2] / "proto"


def current_contract(*, with_comments: bool = False) -> FileDescriptorSet:
    """The protos of this checkout."""
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    sources = map(str, sorted((PROTO / "contrapose").rglob("*.proto")))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.binpb"
        flags = [f"-I{PROTO}", f"-I{well_known}", f"--descriptor_set_out={out}"]
        flags += ["--include_source_info"] if with_comments else []
        if protoc.main(["protoc", *flags, *sources]) != 0:
            raise RuntimeError("protoc failed; its messages are above")
        return FileDescriptorSet.FromString(out.read_bytes())


def kept_contracts() -> dict[int, FileDescriptorSet]:
    """By minor, oldest first."""
    paths = {int(path.stem.removeprefix("minor_")): path for path in KEPT.glob("minor_*.binpb")}
    return {n: FileDescriptorSet.FromString(paths[n].read_bytes()) for n in sorted(paths)}


def main() -> int:
    path, contract = KEPT / f"minor_{PROTOCOL_MINOR}.binpb", current_contract()
    if path.exists() and FileDescriptorSet.FromString(path.read_bytes()) != contract:
        print(f"{path}: kept already, and the protos have changed since; let PROTOCOL_MINOR grow")
        return 2
    path.write_bytes(contract.SerializeToString(deterministic=True))
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
