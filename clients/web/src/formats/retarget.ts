// Motion of a rig of any names, size and rest pose on our skeleton. Knows names and turns in the
// world; no file. A rig's axes may be Y up or Z up, and it may face anywhere at rest.

import {
  IDENTITY, about, between, conjugate, length, minus, product, rotated, scaled, vec3At,
} from "../body/quaternions";
import type { Quat, Vec3 } from "../body/quaternions";
import { jointsOf } from "../body/pose";
import type { Pose } from "../body/pose";
import { JOINT, JOINT_COUNT, JOINT_NAMES, PARENTS, restJointsOf, soleHeight } from "../body/skeleton";
import type { JointName, RestOffsets } from "../body/skeleton";
import type { Person } from "../motion/motion";
import { FileError } from "./errors";

export interface RigNode {
  readonly name: string;
  readonly restPlace: Vec3;
  readonly restTurn: Quat;
}

/** One frame of a rig: turn of every node in the world, and the place of one of them. */
export interface RigFrame {
  turn(node: number): Quat;
  place(node: number): Vec3;
}

/** What other programs call our joints, in small letters without anything else; sides as "l" "r". */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  pelvis: ["pelvis", "hips", "hip", "root"],
  spine1: ["spine", "spine1", "spine01", "lowerback", "abdomen"],
  spine2: ["spine1", "spine2", "spine02", "chest"],
  spine3: ["spine2", "spine3", "spine03", "upperchest", "thorax"],
  neck: ["neck", "neck1", "neck01"],
  head: ["head"],
  hip: ["hip", "upleg", "upperleg", "thigh", "hipjoint"],
  knee: ["knee", "leg", "lowerleg", "calf", "shin"],
  ankle: ["ankle", "foot"],
  foot: ["toebase", "toe", "toes", "ball", "foot"],
  collar: ["collar", "shoulder", "clavicle"],
  shoulder: ["shoulder", "arm", "upperarm"],
  elbow: ["elbow", "forearm", "lowerarm"],
  wrist: ["wrist", "hand"],
};
const NEEDED: readonly JointName[] = [
  "pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head",
  "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
];
/** The joint that a bone of ours points to; the others turn as their parents do. */
const AHEAD: Readonly<Partial<Record<JointName, JointName>>> = {
  pelvis: "spine3", spine1: "neck", spine2: "neck", spine3: "neck", neck: "head",
  left_hip: "left_knee", right_hip: "right_knee", left_knee: "left_ankle", right_knee: "right_ankle",
  left_collar: "left_shoulder", right_collar: "right_shoulder", left_shoulder: "left_elbow",
  right_shoulder: "right_elbow", left_elbow: "left_wrist", right_elbow: "right_wrist",
};

/** Which node of the rig is which joint of ours; -1: none. Throws FileError if too few are known. */
export function mapped(file: string, nodes: readonly RigNode[]): number[] {
  const known = new Map<string, number>();
  nodes.forEach(({ name }, index) => {
    const simple = simplified(name);
    if (!known.has(simple)) known.set(simple, index);
  });
  const taken = new Set<number>();
  const find = (joint: JointName): number => {
    const [side, part] = joint.includes("_") ? joint.split("_") : ["", joint];
    for (const alias of NAMES[part!]!) {
      const index = known.get(`${side ? side[0] : ""}:${alias}`);
      if (index !== undefined && !taken.has(index)) {
        taken.add(index);
        return index;
      }
    }
    return -1;
  };
  // A "shoulder" is the collar's where there is an "arm" too; and collars are looked for first.
  const hasCollar = ["arm", "upperarm", "collar", "clavicle"].some((part) => known.has(`l:${part}`));
  const found = new Map<JointName, number>();
  for (const joint of JOINT_NAMES) {
    if (hasCollar || !joint.endsWith("collar")) found.set(joint, find(joint));
  }
  const missing = NEEDED.filter((joint) => (found.get(joint) ?? -1) < 0);
  if (missing.length > 0) {
    throw new FileError(
      file,
      `has no joints that could be ${missing.join(", ")}; convert it with --rig: ` +
        `contrapose convert ${file} -o motion.npz --rig names.toml`,
    );
  }
  return JOINT_NAMES.map((joint) => found.get(joint) ?? -1);
}

/** "mixamorig:LeftUpLeg" and "upleg_l" as "l:upleg". */
function simplified(name: string): string {
  const own = name.split(":").at(-1)!.replace(/^(player|partner|mixamorig|person\d*)_/i, "");
  const [, side = "", part = own] =
    /^(left|right)[_ .]?(.+)$/i.exec(own) ??
    /^([lr])[_ .](.+)$/i.exec(own) ??
    /^([lr])([A-Z].*)$/.exec(own) ??
    [];
  const ending = side ? null : /^(.+)[_ .](left|right|l|r)$/i.exec(own);
  const which = (ending ? ending[2]! : side).slice(0, 1).toLowerCase();
  return `${which}:${(ending ? ending[1]! : part).toLowerCase().replace(/[^a-z0-9]/g, "")}`;
}

/** A person whose joints turn as the rig's do. `rest` is the body that the motion is for. */
export function retargeted(
  file: string,
  nodes: readonly RigNode[],
  frames: readonly RigFrame[],
  rest: RestOffsets,
): Person {
  const map = mapped(file, nodes);
  const place = (joint: JointName): Vec3 => nodes[map[JOINT[joint]]!]!.restPlace;
  const upright = uprightTurn(place);
  const placed = (joint: JointName): Vec3 => rotated(upright, place(joint));
  const swings = restSwings(map, placed, rest);
  const legs = placed("pelvis")[1] - Math.min(placed("left_ankle")[1], placed("right_ankle")[1]);
  const ours = restJointsOf(rest);
  const ourLegs = ours[1]! - ours[3 * JOINT.left_ankle + 1]!;
  const scale = ourLegs / Math.max(legs, 1e-6);

  const poses = frames.map((frame): Pose => {
    const world: Quat[] = [];
    const quats = new Float32Array(4 * JOINT_COUNT);
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const parent = joint === 0 ? IDENTITY : world[PARENTS[joint]!]!;
      const node = map[joint]!;
      if (node < 0) {
        world.push(parent);
      } else {
        const moved = product(frame.turn(node), conjugate(nodes[node]!.restTurn));
        const turn = product(product(upright, moved), conjugate(upright));
        world.push(product(turn, swings[joint]!));
      }
      quats.set(product(conjugate(parent), world[joint]!), 4 * joint);
    }
    const pelvis = scaled(rotated(upright, frame.place(map[0]!)), scale);
    return { quats, transl: Float32Array.from(minus(pelvis, vec3At(rest, 0))) };
  });
  return { frames: onFloor(poses, rest), betas: Array<number>(10).fill(0), rest };
}

/** The turn that makes a rig at rest stand along +Y and face +Z. */
function uprightTurn(place: (joint: JointName) => Vec3): Quat {
  const spine = minus(place("head"), place("pelvis"));
  const up = Math.abs(spine[2]) > Math.abs(spine[1]) ? about([1, 0, 0], -Math.PI / 2) : IDENTITY;
  const across = rotated(up, minus(place("left_hip"), place("right_hip")));
  return product(about([0, 1, 0], -Math.atan2(-across[2], across[0])), up);
}

/** For each joint the turn from our T pose to the rig's rest pose, by where the bones point. */
function restSwings(map: readonly number[], placed: (joint: JointName) => Vec3, rest: RestOffsets): Quat[] {
  const ours = restJointsOf(rest);
  const swings: Quat[] = [];
  JOINT_NAMES.forEach((joint, index) => {
    const ahead = AHEAD[joint];
    if (ahead === undefined || map[index]! < 0 || map[JOINT[ahead]]! < 0) {
      // A hand goes on as its arm does; head and feet are at rest as ours are.
      swings.push(joint.endsWith("wrist") ? swings[PARENTS[index]!]! : IDENTITY);
      return;
    }
    const bone = minus(placed(ahead), placed(joint));
    const own = minus(vec3At(ours, JOINT[ahead]), vec3At(ours, index));
    swings.push(length(bone) < 1e-6 ? IDENTITY : between(own, bone));
  });
  return swings;
}

/** Moved so that the first frame is over the origin and the lowest foot on the floor. */
function onFloor(poses: readonly Pose[], rest: RestOffsets): Pose[] {
  const joints = restJointsOf(rest);
  const sole = joints[3 * JOINT.left_foot + 1]! - soleHeight(rest);
  const lowest = poses.map((pose) => {
    const { places } = jointsOf(pose, rest);
    return Math.min(places[JOINT.left_foot]![1], places[JOINT.right_foot]![1]);
  });
  const floor = Math.min(...lowest.slice(0, 3000)) - sole;
  const [x = 0, , z = 0] = poses[0]?.transl ?? [];
  return poses.map(({ quats, transl }) => ({
    quats,
    transl: Float32Array.of(transl[0]! - x, transl[1]! - floor, transl[2]! - z),
  }));
}
