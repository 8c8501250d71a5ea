"""glTF documents under construction: a scene's nodes, and the arrays in its binary chunk.

Knows glTF 2.0 (pygltflib has its objects) and nothing of people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pygltflib

from engine.arrays import Array, IntArray

GENERATOR = "Contrapose"
COMPONENT_TYPES = {
    np.dtype(np.float32): pygltflib.FLOAT,
    np.dtype(np.uint8): pygltflib.UNSIGNED_BYTE,
    np.dtype(np.uint16): pygltflib.UNSIGNED_SHORT,
    np.dtype(np.uint32): pygltflib.UNSIGNED_INT,
}
ELEMENT_TYPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}


class GltfDocument:
    """A document that grows; `to_bytes` is its .glb."""

    def __init__(self) -> None:
        self.gltf = pygltflib.GLTF2(
            asset=pygltflib.Asset(version="2.0", generator=GENERATOR),
            scene=0,
            scenes=[pygltflib.Scene(nodes=[])],
        )
        self._blob = bytearray()

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
        stored = np.ascontiguousarray(by_column)
        self._blob.extend(bytes(-len(self._blob) % 4))
        self.gltf.bufferViews.append(
            pygltflib.BufferView(
                buffer=0, byteOffset=len(self._blob), byteLength=stored.nbytes, target=target
            )
        )
        self._blob.extend(stored.tobytes())
        bounds: dict[str, list[float]] = {}
        if has_bounds:
            rows = values.reshape(len(values), -1)
            bounds = {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        self.gltf.accessors.append(
            pygltflib.Accessor(
                bufferView=len(self.gltf.bufferViews) - 1,
                componentType=COMPONENT_TYPES[values.dtype],
                count=len(values),
                type=ELEMENT_TYPES[element],
                normalized=is_normalised,
                **bounds,
            )
        )
        return len(self.gltf.accessors) - 1

    def node(self, *, is_root: bool = False, **fields: Any) -> int:
        """The number of a new node; a root is part of the scene."""
        self.gltf.nodes.append(pygltflib.Node(**fields))
        number = len(self.gltf.nodes) - 1
        if is_root:
            self.gltf.scenes[0].nodes.append(number)
        return number

    def joint_tree(
        self, names: Sequence[str], parents: Sequence[int], offsets: Array
    ) -> tuple[int, ...]:
        """The numbers of new nodes that hang from one another, parents first; the first is on top.

        offsets  (J, 3) from the parent, metres
        """
        first = len(self.gltf.nodes)
        for joint, name in enumerate(names):
            self.node(
                name=name,
                translation=offsets[joint].tolist(),
                children=[first + child for child, parent in enumerate(parents) if parent == joint],
            )
        return tuple(range(first, first + len(names)))

    def animation(self, name: str, extras: Mapping[str, Any]) -> GltfAnimation:
        made = pygltflib.Animation(name=name, samplers=[], channels=[], extras=dict(extras))
        self.gltf.animations.append(made)
        return GltfAnimation(self, made)

    def to_bytes(self) -> bytes:
        self._blob.extend(bytes(-len(self._blob) % 4))
        self.gltf.buffers = [pygltflib.Buffer(byteLength=len(self._blob))]
        self.gltf.set_binary_blob(bytes(self._blob))
        return b"".join(self.gltf.save_to_bytes())


class GltfAnimation:
    """One animation of a document; its channels begin at the same time."""

    def __init__(self, document: GltfDocument, animation: Any) -> None:
        self._document, self._animation = document, animation

    def channel(self, node: int, path: str, times: int, values: Array) -> None:
        """Let `path` ("translation" or "rotation") of a node run through values (T, 3 or 4).

        times  the accessor of T times in seconds
        """
        output = self._document.array(values)
        self._animation.samplers.append(
            pygltflib.AnimationSampler(input=times, output=output, interpolation="LINEAR")
        )
        self._animation.channels.append(
            pygltflib.AnimationChannel(
                sampler=len(self._animation.samplers) - 1,
                target=pygltflib.AnimationChannelTarget(node=node, path=path),
            )
        )
