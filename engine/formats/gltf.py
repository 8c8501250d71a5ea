"""glTF documents: JSON that names nodes, and the arrays that it points into.

Knows glTF 2.0 and its container, the .glb; knows nothing of people. A document is lists of objects
that name one another by number, and is written here as it stands in the specification.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.arrays import Array, IntArray

GENERATOR = "Contrapose"
COMPONENT_TYPES = {
    np.dtype(np.uint8): 5121,
    np.dtype(np.uint16): 5123,
    np.dtype(np.uint32): 5125,
    np.dtype(np.float32): 5126,
}
ELEMENT_TYPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTEX_BUFFER, INDEX_BUFFER = 34962, 34963
"""What an array is for, where it goes to the GPU as it is."""


class GltfDocument:
    """A document that grows; `to_bytes` is its .glb."""

    def __init__(self) -> None:
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": GENERATOR},
            "scene": 0,
            "scenes": [{"nodes": []}],
        }
        self._chunk = bytearray()

    def add(self, kind: str, value: Mapping[str, Any]) -> int:
        """The number of one more of `kind`: nodes, meshes, skins, ..."""
        self.json.setdefault(kind, []).append(dict(value))
        return len(self.json[kind]) - 1

    def array(
        self,
        values: Array | IntArray,
        *,
        target: int | None = None,
        has_bounds: bool = False,
        is_normalised: bool = False,
    ) -> int:
        """The number of an accessor of `values` (n, ...), whose dtype and shape say its type.

        has_bounds  with its least and greatest values, as positions and times must have
        Matrices are stored by column, as glTF wants them.
        """
        element = values.shape[1:]
        by_column = np.swapaxes(values, 1, 2) if len(element) == 2 else values
        stored = np.ascontiguousarray(by_column).tobytes()
        self._chunk.extend(bytes(-len(self._chunk) % 4))
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._chunk)}
        view["byteLength"] = len(stored)
        if target is not None:
            view["target"] = target
        self._chunk.extend(stored)
        accessor: dict[str, Any] = {
            "bufferView": self.add("bufferViews", view),
            "componentType": COMPONENT_TYPES[values.dtype],
            "count": len(values),
            "type": ELEMENT_TYPES[element],
        }
        if is_normalised:
            accessor["normalized"] = True
        if has_bounds:
            rows = values.reshape(len(values), -1)
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        return self.add("accessors", accessor)

    def node(self, *, is_root: bool = False, **fields: Any) -> int:
        """The number of a new node; a root is part of the scene."""
        number = self.add("nodes", fields)
        if is_root:
            self.json["scenes"][0]["nodes"].append(number)
        return number

    def joint_tree(
        self, names: Sequence[str], parents: Sequence[int], offsets: Array
    ) -> tuple[int, ...]:
        """The numbers of new nodes that hang from one another, parents first; the first is on top.

        offsets  (J, 3) from the parent, metres
        """
        first = len(self.json.get("nodes", []))
        for joint, name in enumerate(names):
            below = [first + child for child, parent in enumerate(parents) if parent == joint]
            place = {"name": name, "translation": offsets[joint].tolist()}
            self.add("nodes", {**place, "children": below} if below else place)
        return tuple(range(first, first + len(names)))

    def animation(self, name: str, extras: Mapping[str, Any]) -> GltfAnimation:
        fields = {"name": name, "samplers": [], "channels": [], "extras": dict(extras)}
        number = self.add("animations", fields)
        return GltfAnimation(self, self.json["animations"][number])

    def to_bytes(self) -> bytes:
        self._chunk.extend(bytes(-len(self._chunk) % 4))
        text = json.dumps(
            {**self.json, "buffers": [{"byteLength": len(self._chunk)}]}, separators=(",", ":")
        ).encode()
        text += b" " * (-len(text) % 4)
        size = 12 + 8 + len(text) + 8 + len(self._chunk)
        return (
            struct.pack("<4sII", b"glTF", 2, size)
            + struct.pack("<I4s", len(text), b"JSON")
            + text
            + struct.pack("<I4s", len(self._chunk), b"BIN\0")
            + bytes(self._chunk)
        )


class GltfAnimation:
    """One animation of a document; its channels begin at the same time."""

    def __init__(self, document: GltfDocument, fields: dict[str, Any]) -> None:
        self._document, self._fields = document, fields

    def channel(self, node: int, path: str, times: int, values: Array) -> None:
        """Let `path` ("translation" or "rotation") of a node run through values (T, 3 or 4).

        times  the accessor of T times in seconds
        """
        output = self._document.array(values)
        self._fields["samplers"].append(
            {"input": times, "output": output, "interpolation": "LINEAR"}
        )
        self._fields["channels"].append(
            {
                "sampler": len(self._fields["samplers"]) - 1,
                "target": {"node": node, "path": path},
            }
        )
