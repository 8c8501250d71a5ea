// One person's pose, between two poses, and where its joints are. Axes are the wire's: right-handed,
// Y up, metres; three.js and WebXR have the same. Knows no time and no scene.

import { about, minus, plus, product, quatAt, rotated, slerp, vec3At, conjugate, IDENTITY } from "./quaternions";
import type { Quat, Vec3 } from "./quaternions";
import { mixedCurls } from "./fingers";
import { JOINT, JOINT_COUNT, PARENTS, soleHeight } from "./skeleton";
import type { RestOffsets } from "./skeleton";

export interface Pose {
  /** 22 unit quaternions x, y, z, w, relative to the parent, root first: 88 numbers. */
  readonly quats: Float32Array;
  /** 3 numbers, metres: SMPL-X's `transl`; the pelvis is at its rest offset + transl. */
  readonly transl: Float32Array;
  /** 10 numbers, 0 to 1: how the fingers are bent (fingers.ts). Absent: nothing is known of them. */
  readonly curls?: Float32Array | undefined;
}

/** From `a` (part 0) to `b` (part 1): rotations by the shortest arc, the place on a straight line. */
export function mixed(a: Pose, b: Pose, part: number): Pose {
  if (part === 0) return a;
  const quats = new Float32Array(4 * JOINT_COUNT);
  for (let joint = 0; joint < JOINT_COUNT; joint++) {
    quats.set(slerp(quatAt(a.quats, joint), quatAt(b.quats, joint), part), 4 * joint);
  }
  const transl = a.transl.map((value, axis) => value + part * (b.transl[axis]! - value));
  return { quats, transl, curls: mixedCurls(a.curls, b.curls, part) };
}

/** What turns one pose into another, to be applied in part. */
export interface Correction {
  readonly turns: readonly Quat[];
  readonly shift: Vec3;
  readonly curls: Float32Array | undefined;
}

/** The correction that makes `to` of `from`. */
export function correction(from: Pose, to: Pose): Correction {
  const turns: Quat[] = [];
  for (let joint = 0; joint < JOINT_COUNT; joint++) {
    turns.push(product(conjugate(quatAt(from.quats, joint)), quatAt(to.quats, joint)));
  }
  const curls = from.curls && to.curls?.map((curl, at) => curl - from.curls![at]!);
  return { turns, shift: minus(vec3At(to.transl, 0), vec3At(from.transl, 0)), curls };
}

/** A pose with a part (0 to 1) of a correction. */
export function corrected(pose: Pose, change: Correction, part: number): Pose {
  const quats = new Float32Array(4 * JOINT_COUNT);
  for (let joint = 0; joint < JOINT_COUNT; joint++) {
    const turn = slerp(IDENTITY, change.turns[joint]!, part);
    quats.set(product(quatAt(pose.quats, joint), turn), 4 * joint);
  }
  const transl = pose.transl.map((value, axis) => value + part * change.shift[axis]!);
  const curls = pose.curls?.map((curl, at) => curl + part * (change.curls?.[at] ?? 0));
  return { quats, transl, curls };
}

/** Whether two poses differ by more than rounding. */
export function differ(a: Pose, b: Pose): boolean {
  if (a === b) return false;
  const differs = (value: number, other: number) => Math.abs(value - other) > 1e-6;
  return (
    a.transl.some((value, index) => differs(value, b.transl[index]!)) ||
    a.quats.some((value, index) => differs(value, b.quats[index]!)) ||
    (b.curls !== undefined && (a.curls?.some((value, index) => differs(value, b.curls![index]!)) ?? true))
  );
}

/** World places (22) and turns (22) of the joints. */
export function jointsOf(pose: Pose, rest: RestOffsets): { places: Vec3[]; turns: Quat[] } {
  const turns: Quat[] = [quatAt(pose.quats, 0)];
  const places: Vec3[] = [plus(vec3At(rest, 0), vec3At(pose.transl, 0))];
  for (let joint = 1; joint < JOINT_COUNT; joint++) {
    const parent = PARENTS[joint]!;
    places.push(plus(places[parent]!, rotated(turns[parent]!, vec3At(rest, joint))));
    turns.push(product(turns[parent]!, quatAt(pose.quats, joint)));
  }
  return { places, turns };
}

/** Radians about Z that take the arms of the T pose down. */
const ARMS = [
  [JOINT.left_shoulder, -1.2],
  [JOINT.right_shoulder, 1.2],
  [JOINT.left_elbow, -0.15],
  [JOINT.right_elbow, 0.15],
] as const;

/** A person who stands at ease on the floor; `heading` is radians about +Y, 0 looks along +Z. */
export function standing(rest: RestOffsets, x = 0, z = 0, heading = 0): Pose {
  const quats = new Float32Array(4 * JOINT_COUNT);
  for (let joint = 0; joint < JOINT_COUNT; joint++) quats[4 * joint + 3] = 1;
  for (const [joint, angle] of ARMS) quats.set(about([0, 0, 1], angle), 4 * joint);
  quats.set(about([0, 1, 0], heading), 0);
  return { quats, transl: Float32Array.of(x, -soleHeight(rest), z) };
}
