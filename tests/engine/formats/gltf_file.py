"""A .glb read by the book, without the library that wrote it: its JSON, and accessors as arrays."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from engine.arrays import Array

COMPONENTS = {5126: "f4", 5121: "u1", 5123: "u2", 5125: "u4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class GltfFile:
    def __init__(self, data: bytes) -> None:
        magic, version, size = struct.unpack_from("<4sII", data)
        assert (magic, version, size) == (b"glTF", 2, len(data))
        length, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.json: dict[str, Any] = json.loads(data[20 : 20 + length])
        assert struct.unpack_from("<4s", data, 24 + length)[0] == b"BIN\0"
        self.chunk = data[28 + length :]

    def array(self, number: int) -> Array:
        """(n, width)"""
        accessor = self.json["accessors"][number]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width, count = WIDTHS[accessor["type"]], accessor["count"]
        dtype = np.dtype("<" + COMPONENTS[accessor["componentType"]])
        at = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        assert at % dtype.itemsize == 0
        return np.frombuffer(self.chunk, dtype, width * count, at).reshape(count, width)

    def node(self, name: str) -> int:
        (found,) = [i for i, node in enumerate(self.json["nodes"]) if node.get("name") == name]
        return found

    def tracks(self) -> dict[tuple[str, str], Array]:
        """(name of the node, path) -> values, of the first animation."""
        animation = self.json["animations"][0]
        return {
            (
                self.json["nodes"][channel["target"]["node"]]["name"],
                channel["target"]["path"],
            ): self.array(animation["samplers"][channel["sampler"]]["output"])
            for channel in animation["channels"]
        }
