"""`contrapose convert`: a motion or a pose from one kind of file to another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.commands.inputs import add_height, rig_of, tell_of_guess
from engine.commands.outputs import add_outputs, check_outputs, told, write_outputs
from engine.progress import waiting

HELP = """\
Read a motion or a pose and write it as another kind of file; the suffixes say which kinds.

reads:
  .npz            ours (quats_xyzw, transl, betas, frame_rate), or AMASS's: SMPL-H poses (T, 156)
                  with mocap_framerate, SMPL-X poses (T, 165) or root_orient and pose_body with
                  mocap_frame_rate; trans, betas; two people if all arrays have a person axis
  .bvh            one person of any humanoid rig: Mixamo, MotionBuilder, CMU, 100STYLE, ReActIdle,
                  Xsens, Rokoko, LaFAN1, Unreal, Unity, Blender, Biped and SMPL names are known,
                  others take --rig; bone lengths become a body shape, the feet stand on the floor
  .glb .vrma .vrm all people in the first animation; joints are found as in BVH, or by VRM's table
  .amc            the same with its .asf beside it, as in CMU's data base
  .pkl            pose-estimator results, one frame: BUDDI (two people), SMPLest-X, Motion-X (one);
                  only numeric arrays are unpickled
writes, at 30 frames a second where that is what tools expect:
  .npz            ours, with joint names and rest joints; or --layout amass|interx
  .glb            skinned people who move, for Blender, Unity, Unreal, Godot and browsers
  .vrma           for VRM avatars, a file a person
  .bvh            a file a person (OUT_person0.bvh, OUT_person1.bvh), Z X Y angles, --units cm|m
  .fbx            by a Blender of yours, which runs as a process of its own
  .usd .usdc .usda  skinned people as UsdSkel; needs the extra `usd`
  .csv            joint positions, a row a frame
  .gif .mp4 .png  an animation, or a contact sheet

A rig map (--rig map.toml) names joints that are not found by themselves:
  up = "y"                  # optional: the file's up axis, y or z
  metres_per_unit = 0.01    # optional: the file's unit
  [joints]                  # ours = "theirs"
  left_hip = "thigh_stretch.l"
"""


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "convert",
        help="turn motion files of one kind into another: npz, BVH, glTF, USD, FBX, pictures",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "input", type=Path, metavar="IN", help=".npz, .bvh, .amc, .glb, .vrma, .vrm or .pkl"
    )
    parser.add_argument(
        "--rig", type=Path, metavar="MAP.toml", help="joint names of a BVH or glTF file"
    )
    parser.add_argument(
        "--up", choices=("y", "z"), help="up axis of the input (default: found from the bodies)"
    )
    add_height(parser)
    parser.add_argument(
        "--body", type=Path, metavar="FILE", help="a licensed SMPL-X body (default: the open body)"
    )
    add_outputs(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.formats import read_motion

    check_outputs(args)
    body = load_body(args.body)
    rig = rig_of(args)
    with waiting(f"reading {args.input}"):
        motion = read_motion(args.input, rig=rig, body=body, up=args.up, tell=tell_of_guess)
    paths = write_outputs(args, motion, body)
    people = "1 person" if motion.people == 1 else f"{motion.people} people"
    print(
        f"{args.input}: {people}, {motion.frames} frames at {motion.frame_rate:g} a second "
        f"-> {', '.join(map(str, paths)) or 'standard output'}",
        file=told(args),
    )
    return 0
