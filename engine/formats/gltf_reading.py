"""glTF scenes as they are found in .glb files: nodes at rest and in motion, whoever wrote them.

Knows glTF 2.0 and numbers. Which node is whose knee is the business of `humanoids.py`. The first
animation counts, at the node's own rate if its keys are evenly spread, else at 30 frames a second.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.rotations import rotmat_from_quat, slerp_rotmat
from engine.errors import InputError

COMPONENTS = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
LARGEST = {"i1": 127, "u1": 255, "i2": 32767, "u2": 65535}
UNREADABLE = ("EXT_meshopt_compression", "KHR_meshopt_compression")
"""Extensions that change how animations are stored."""
COMMON_RATE = 30.0
EVEN = 0.02
"""Part of a step by which keys that count as evenly spread may differ."""
LONGEST_S = 3600.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Channel:
    """One animated property of a node: keys at `times` (K,), `values` (K, 3 or 4)."""

    node: int
    path: str
    times: Array
    values: Array
    interpolation: str

    def at(self, times: Array) -> Array:
        """(T, 3) translations, or (T, 3, 3) rotations; before the first key it holds."""
        keys = self.times
        first = np.clip(np.searchsorted(keys, times, "right") - 1, 0, max(len(keys) - 2, 0))
        second = np.minimum(first + 1, len(keys) - 1)
        step = np.maximum(keys[second] - keys[first], 1e-9)
        part = np.clip((times - keys[first]) / step, 0.0, 1.0)
        if self.interpolation == "STEP":
            part = np.floor(part)
        if self.interpolation == "CUBICSPLINE":
            values = self._spline(first, second, step[:, None], part[:, None])
            return rotmat_from_quat(values) if self.path == "rotation" else values
        start, end = self.values[first], self.values[second]
        if self.path == "rotation":
            return slerp_rotmat(rotmat_from_quat(start), rotmat_from_quat(end), part)
        return np.asarray(start + part[:, None] * (end - start))

    def _spline(self, first: Any, second: Any, step: Array, u: Array) -> Array:
        """glTF 2.0, appendix C.4: in-tangent, value and out-tangent of each key follow in turn."""
        into, value, out = (self.values[i::3] for i in range(3))
        return np.asarray(
            (2 * u**3 - 3 * u**2 + 1) * value[first]
            + step * (u**3 - 2 * u**2 + u) * out[first]
            + (-2 * u**3 + 3 * u**2) * value[second]
            + step * (u**3 - u**2) * into[second]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class GltfScene:
    """The nodes of a file's scene and its first animation.

    json         the whole document
    parents      node -> the node above it; -1 at the top of the scene; nodes of other scenes lack
    order        the same nodes, parents first
    """

    json: Mapping[str, Any]
    parents: Mapping[int, int]
    order: tuple[int, ...]
    channels: Sequence[Channel]

    def node(self, number: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.json["nodes"][number]
        return found

    def rest(self) -> tuple[dict[int, Array], dict[int, Array]]:
        """World matrices (4, 4) and orientations (3, 3) of nodes where nothing is animated."""
        world, turns = self._posed(np.zeros(1), ())
        return {n: w[0] for n, w in world.items()}, {n: t[0] for n, t in turns.items()}

    def moving(self, times: Array) -> tuple[dict[int, Array], dict[int, Array]]:
        """The same at times (T,): (T, 4, 4) and (T, 3, 3)."""
        return self._posed(times, self.channels)

    def _posed(
        self, times: Array, channels: Sequence[Channel]
    ) -> tuple[dict[int, Array], dict[int, Array]]:
        """Orientations are products of rotations: scales, if uneven, do not tilt them."""
        of_node: dict[int, dict[str, Channel]] = {}
        for channel in channels:
            of_node.setdefault(channel.node, {})[channel.path] = channel
        world: dict[int, Array] = {}
        turns: dict[int, Array] = {}
        for number in self.order:
            place, turn, scale = _local(self.node(number))
            animated = of_node.get(number, {})
            local = np.zeros((len(times), 4, 4))
            rotation = animated["rotation"].at(times) if "rotation" in animated else turn
            local[:, :3, :3] = rotation * scale
            moved = animated["translation"].at(times) if "translation" in animated else place
            local[:, :3, 3], local[:, 3, 3] = moved, 1
            parent = self.parents[number]
            rotation = np.broadcast_to(rotation, (len(times), 3, 3))
            world[number] = local if parent < 0 else world[parent] @ local
            turns[number] = rotation if parent < 0 else turns[parent] @ rotation
        return world, turns

    def times(self) -> tuple[Array, float]:
        """Times (T,) of the frames, and how many there are a second.

        Raises InputError if nothing is animated, or for longer than an hour.
        """
        if not self.channels:
            raise InputError("holds no animation that moves a node", field="path")
        start = min(float(channel.times[0]) for channel in self.channels)
        end = max(float(channel.times[-1]) for channel in self.channels)
        if not 0 <= end - start <= LONGEST_S:
            raise InputError(
                f"its animation lasts {end - start:g} s, at most {LONGEST_S:g} are read"
            )
        rate = self._rate()
        return start + np.arange(round((end - start) * rate) + 1) / rate, rate

    def _rate(self) -> float:
        stated = (self.json["animations"][0].get("extras") or {}).get("frame_rate")
        if isinstance(stated, int | float) and 0 < stated <= 1000:
            return float(stated)
        steps = np.diff(max((channel.times for channel in self.channels), key=len))
        if not len(steps) or steps.max() - steps.min() > EVEN * steps.mean():
            return COMMON_RATE
        rate = 1 / float(steps.mean())
        return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate


def read_scene(path: Path) -> GltfScene:
    """Read a .glb or .vrma; raises InputError that names the file."""
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror})", field="path") from exc
    try:
        return _scene(data)
    except InputError as exc:
        raise InputError(f"{path}: {exc}", field="path") from exc
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as exc:
        # A damaged document breaks at whatever it is asked for first.
        raise InputError(
            f"{path}: is no glTF 2.0 file, or a damaged one ({type(exc).__name__}: {exc}); "
            "export it again",
            field="path",
        ) from exc


def _scene(data: bytes) -> GltfScene:
    magic, version = struct.unpack_from("<4sI", data)
    if magic != b"glTF" or version != 2:
        raise InputError("is no binary glTF 2.0; export it as .glb")
    length, kind = struct.unpack_from("<I4s", data, 12)
    if kind != b"JSON":
        raise ValueError("the first chunk is not JSON")
    document = json.loads(data[20 : 20 + length])
    compressed = set(UNREADABLE) & set(document.get("extensionsRequired", ()))
    if compressed:
        raise InputError(f"needs {min(compressed)}; export it without compression")
    parents, order = _tree(document)
    animations = document.get("animations") or [{"channels": [], "samplers": []}]
    return GltfScene(
        json=document,
        parents=parents,
        order=order,
        channels=_channels(document, data[28 + length :], animations[0], set(order)),
    )


def _tree(document: Mapping[str, Any]) -> tuple[dict[int, int], tuple[int, ...]]:
    """Each node of the scene with the one above it, and the order of parents first."""
    nodes = document.get("nodes", [])
    scenes = document.get("scenes") or [{"nodes": list(range(len(nodes)))}]
    parents = dict.fromkeys(scenes[document.get("scene", 0)].get("nodes", ()), -1)
    order = list(parents)
    for number in order:
        for child in nodes[number].get("children", ()):
            if child in parents:
                raise ValueError(f"node {child} hangs from two others")
            parents[child] = number
            order.append(child)
    return parents, tuple(order)


def _channels(
    document: Mapping[str, Any], chunk: bytes, animation: Mapping[str, Any], nodes: set[int]
) -> list[Channel]:
    """Rotations and translations of nodes of the scene."""
    found = []
    for channel in animation["channels"]:
        target, sampler = channel["target"], animation["samplers"][channel["sampler"]]
        if target["path"] not in ("rotation", "translation") or target.get("node") not in nodes:
            continue
        times = _accessor(document, chunk, sampler["input"])[:, 0]
        values = _accessor(document, chunk, sampler["output"])
        interpolation = sampler.get("interpolation", "LINEAR")
        per_key = 3 if interpolation == "CUBICSPLINE" else 1
        if len(values) != per_key * len(times) or not len(times):
            raise ValueError(f"{len(times)} keys have {len(values)} values")
        if np.any(np.diff(times) < 0) or not np.all(np.isfinite(values)):
            raise ValueError("keys are not in order, or not finite")
        found.append(
            Channel(
                node=target["node"],
                path=target["path"],
                times=times,
                values=values,
                interpolation=interpolation,
            )
        )
    return found


def _accessor(document: Mapping[str, Any], chunk: bytes, number: int) -> Array:
    """(n, width) float64; normalised whole numbers become fractions."""
    accessor = document["accessors"][number]
    if "sparse" in accessor:
        raise InputError("stores an animation sparsely; export it again without that")
    view = document["bufferViews"][accessor["bufferView"]]
    kind, width = COMPONENTS[accessor["componentType"]], WIDTHS[accessor["type"]]
    dtype, count = np.dtype("<" + kind), accessor["count"]
    at = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stride = view.get("byteStride", width * dtype.itemsize)
    if count < 1 or at + stride * (count - 1) + width * dtype.itemsize > len(chunk):
        raise ValueError(f"accessor {number} reaches beyond the file")
    values = np.ndarray((count, width), dtype, chunk, at, (stride, dtype.itemsize))
    if accessor.get("normalized"):
        return np.asarray(np.maximum(values / LARGEST[kind], -1.0), np.float64)
    return values.astype(np.float64)


def _local(node: Mapping[str, Any]) -> tuple[Array, Array, Array]:
    """Translation (3,), rotation (3, 3) and scale (3,) of a node."""
    if "matrix" in node:
        matrix = np.array(node["matrix"], np.float64).reshape(4, 4).T
        scale = np.linalg.norm(matrix[:3, :3], axis=0)
        return matrix[:3, 3], matrix[:3, :3] / scale, scale
    place = np.array(node.get("translation", (0, 0, 0)), np.float64).reshape(3)
    quat = np.array(node.get("rotation", (0, 0, 0, 1)), np.float64).reshape(4)
    scale = np.array(node.get("scale", (1, 1, 1)), np.float64).reshape(3)
    return place, rotmat_from_quat(quat), scale
