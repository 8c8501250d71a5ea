// The skeleton: names and parents of the 22 joints, and where they rest. Knows no pose.

export const JOINT_NAMES = [
  "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
  "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
  "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
] as const;
export const PARENTS = [
  -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19,
] as const;
export const JOINT_COUNT = JOINT_NAMES.length;

export type JointName = (typeof JOINT_NAMES)[number];

/** Index of each joint by its name. */
export const JOINT = Object.fromEntries(JOINT_NAMES.map((name, index) => [name, index])) as Record<
  JointName,
  number
>;

/** "left_wrist" as people say it. */
export function spoken(joint: number): string {
  const name = JOINT_NAMES[joint] ?? "body";
  return name
    .replace("wrist", "hand")
    .replace("spine1", "belly")
    .replace("spine2", "back")
    .replace("spine3", "chest")
    .replace("_", " ");
}

/** Metres, x, y, z of each joint from its parent; the root's from the body's origin. 66 numbers. */
export type RestOffsets = Float32Array;

/** Depth of the sole under the ball of the foot, as a part of the foot's length to there. */
const SOLE_DEPTH = 0.185;

/** Height of the soles in the rest pose with `transl` = 0. */
export function soleHeight(rest: RestOffsets): number {
  let height = 0;
  for (let joint: number = JOINT.left_foot; joint >= 0; joint = PARENTS[joint]!) {
    height += rest[3 * joint + 1]!;
  }
  const ball = 3 * JOINT.left_foot;
  return height - SOLE_DEPTH * Math.hypot(rest[ball]!, rest[ball + 2]!);
}

/** From places of the joints in the rest pose (66 numbers) to offsets from the parents. */
export function offsetsOf(restJoints: ArrayLike<number>): RestOffsets {
  const offsets = Float32Array.from(restJoints);
  for (let joint = 1; joint < JOINT_COUNT; joint++) {
    for (let axis = 0; axis < 3; axis++) {
      offsets[3 * joint + axis]! -= restJoints[3 * PARENTS[joint]! + axis]!;
    }
  }
  return offsets;
}

/** From offsets to the places of the joints in the rest pose. */
export function restJointsOf(rest: RestOffsets): Float32Array {
  const joints = Float32Array.from(rest);
  for (let joint = 1; joint < JOINT_COUNT; joint++) {
    for (let axis = 0; axis < 3; axis++) {
      joints[3 * joint + axis]! += joints[3 * PARENTS[joint]! + axis]!;
    }
  }
  return joints;
}
