"""USD files: skinned people who move, as UsdSkel. Needs the extra `usd`.

Knows how our bodies become a stage. All of translations, rotations and scales are written at every
frame: Blender reads an animation only when it has as many of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.arrays import Array
from engine.body.shape import Body
from engine.formats.skinned import (
    COLOURS,
    INFLUENCES,
    SkinnedBody,
    continuous_quats,
    names_of,
    pelvis_places,
    skinned_body,
)
from engine.motion.motion import Motion

TOP = "/motion"


def write_usd(path: Path, motion: Motion, body: Body) -> None:
    """Write all people of a motion: Y up, metres, a time code a frame."""
    from pxr import Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(motion.frame_rate)
    stage.SetFramesPerSecond(motion.frame_rate)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(motion.frames - 1)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, TOP).GetPrim())
    for person, name in enumerate(names_of(motion.people)):
        at = f"{TOP}/{name}"
        UsdSkel.Root.Define(stage, at)
        skinned = skinned_body(body, motion.betas[person])
        skeleton = _skeleton(stage, f"{at}/skeleton", skinned)
        _animate(stage, skeleton, skinned, motion, body, person)
        _mesh(stage, f"{at}/body", skinned, skeleton, COLOURS[person % len(COLOURS)] / 255)
    if not stage.GetRootLayer().Export(str(path)):
        raise OSError("USD refused to write it")


def _joint_paths(person: SkinnedBody) -> list[str]:
    paths: list[str] = []
    for name, parent in zip(person.names, person.parents, strict=True):
        paths.append(name if parent < 0 else f"{paths[parent]}/{name}")
    return paths


def _translations(places: Array) -> Any:
    from pxr import Gf, Vt

    return Vt.Matrix4dArray([Gf.Matrix4d().SetTranslate(Gf.Vec3d(*row)) for row in places.tolist()])


def _skeleton(stage: Any, path: str, person: SkinnedBody) -> Any:
    from pxr import UsdSkel

    skeleton = UsdSkel.Skeleton.Define(stage, path)
    skeleton.CreateJointsAttr(_joint_paths(person))
    skeleton.CreateBindTransformsAttr(_translations(person.rest_joints))
    skeleton.CreateRestTransformsAttr(_translations(person.offsets))
    return skeleton


def _animate(
    stage: Any, skeleton: Any, skinned: SkinnedBody, motion: Motion, body: Body, person: int
) -> None:
    from pxr import Gf, UsdSkel, Vt

    quats = continuous_quats(motion, person, body)
    animation = UsdSkel.Animation.Define(stage, f"{skeleton.GetPath()}/motion")
    count = quats.shape[1]
    animation.CreateJointsAttr(_joint_paths(skinned)[:count])
    translations, rotations, scales = (
        animation.CreateTranslationsAttr(),
        animation.CreateRotationsAttr(),
        animation.CreateScalesAttr(),
    )
    unit = Vt.Vec3hArray([Gf.Vec3h(1, 1, 1)] * count)
    pelvis, offsets = pelvis_places(motion, body, person), skinned.offsets[:count]
    for frame in range(motion.frames):
        offsets[0] = pelvis[frame]
        translations.Set(Vt.Vec3fArray.FromNumpy(offsets), frame)
        turns = [Gf.Quatf(w, x, y, z) for x, y, z, w in quats[frame].tolist()]
        rotations.Set(Vt.QuatfArray(turns), frame)
        scales.Set(unit, frame)
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([animation.GetPath()])


def _mesh(stage: Any, path: str, person: SkinnedBody, skeleton: Any, colour: Array) -> None:
    from pxr import Gf, UsdGeom, UsdSkel, Vt

    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(person.vertices))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(person.normals))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateFaceVertexCountsAttr([3] * len(person.faces))
    mesh.CreateFaceVertexIndicesAttr(person.faces.ravel().tolist())
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(
        [
            Gf.Vec3f(*person.vertices.min(axis=0).tolist()),
            Gf.Vec3f(*person.vertices.max(axis=0).tolist()),
        ]
    )
    mesh.CreateDisplayColorAttr([Gf.Vec3f(*(colour**2.2).tolist())])
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    joints, weights = person.joints.ravel().tolist(), person.weights.ravel()
    binding.CreateJointIndicesPrimvar(False, INFLUENCES).Set(Vt.IntArray(joints))
    binding.CreateJointWeightsPrimvar(False, INFLUENCES).Set(Vt.FloatArray.FromNumpy(weights))
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1))
