"""A .glb as another library reads it: pygltflib's objects, and accessors as arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pygltflib

from engine.arrays import Array

COMPONENTS = {5126: "f4", 5121: "u1", 5123: "u2", 5125: "u4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class GltfFile:
    def __init__(self, path: Path) -> None:
        self.gltf: Any = pygltflib.GLTF2().load_binary(str(path))

    def array(self, number: int) -> Array:
        """(n, width)"""
        accessor = self.gltf.accessors[number]
        view = self.gltf.bufferViews[accessor.bufferView]
        width, count = WIDTHS[accessor.type], accessor.count
        dtype = np.dtype("<" + COMPONENTS[accessor.componentType])
        at = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        assert at % dtype.itemsize == 0
        flat = np.frombuffer(self.gltf.binary_blob(), dtype, width * count, at)
        return flat.reshape(count, width)

    def node(self, name: str) -> int:
        (found,) = [i for i, node in enumerate(self.gltf.nodes) if node.name == name]
        return found

    def tracks(self) -> dict[tuple[str, str], Array]:
        """(name of the node, path) -> values, of the first animation."""
        animation = self.gltf.animations[0]
        return {
            (self.gltf.nodes[channel.target.node].name, channel.target.path): self.array(
                animation.samplers[channel.sampler].output
            )
            for channel in animation.channels
        }
