// A body whose head and hands are led: the rest is the pose it is given. Two-bone arms by the law of
// cosines. Knows poses; no device.

import {
  between, conjugate, cross, dot, length, minus, normalized, plus, product, rotated, scaled, unit, vec3At,
} from "../body/quaternions";
import type { Quat, Vec3 } from "../body/quaternions";
import { jointsOf } from "../body/pose";
import type { Pose } from "../body/pose";
import { JOINT } from "../body/skeleton";
import type { RestOffsets } from "../body/skeleton";

export interface Led {
  readonly head: Vec3;
  readonly leftHand: { place: Vec3; turn: Quat };
  readonly rightHand: { place: Vec3; turn: Quat };
}

/** The pose moved so that its head is where it is led, with the arms bent to the hands. */
export function withLed(pose: Pose, led: Led, rest: RestOffsets): Pose {
  const head = jointsOf(pose, rest).places[JOINT.head]!;
  const transl = pose.transl.map((value, axis) => value + led.head[axis]! - head[axis]!);
  const moved = { quats: pose.quats.slice(), transl, curls: pose.curls };
  bend(moved, rest, [JOINT.left_shoulder, JOINT.left_elbow, JOINT.left_wrist], led.leftHand);
  bend(moved, rest, [JOINT.right_shoulder, JOINT.right_elbow, JOINT.right_wrist], led.rightHand);
  return moved;
}

/** Bends one arm in place: the elbow stays on the side where it is. */
function bend(
  pose: Pose,
  rest: RestOffsets,
  [shoulder, elbow, wrist]: readonly [number, number, number],
  hand: { place: Vec3; turn: Quat },
): void {
  const { places, turns } = jointsOf(pose, rest);
  const [upper, lower] = [length(vec3At(rest, elbow)), length(vec3At(rest, wrist))];
  const from = places[shoulder]!;
  const way = minus(hand.place, from);
  const direction = unit(way);
  const distance = Math.min(Math.max(length(way), Math.abs(upper - lower) + 1e-3), upper + lower - 1e-3);
  const along = (upper ** 2 - lower ** 2 + distance ** 2) / (2 * distance);
  const aside = Math.sqrt(Math.max(upper ** 2 - along ** 2, 0));
  const bent = plus(from, plus(scaled(direction, along), scaled(elbowSide(direction, turns[0]!), aside)));
  const collar = turns[shoulder - 3]!;
  const upperTurn = aimed(turns[shoulder]!, vec3At(rest, elbow), minus(bent, from));
  const reached = plus(from, scaled(direction, distance));
  const lowerTurn = aimed(upperTurn, vec3At(rest, wrist), minus(reached, bent));
  pose.quats.set(normalized(product(conjugate(collar), upperTurn)), 4 * shoulder);
  pose.quats.set(normalized(product(conjugate(upperTurn), lowerTurn)), 4 * elbow);
  pose.quats.set(normalized(product(conjugate(lowerTurn), hand.turn)), 4 * wrist);
}

/** Elbows hang down and a little back. */
function elbowSide(direction: Vec3, pelvis: Quat): Vec3 {
  const back = rotated(pelvis, [0, -1, -0.45]);
  const side = minus(back, scaled(direction, dot(back, direction)));
  return length(side) < 1e-3 ? unit(cross(direction, [1, 0, 0])) : unit(side);
}

/** `turn`, turned on by as little as brings the bone to the direction. */
function aimed(turn: Quat, bone: Vec3, direction: Vec3): Quat {
  return product(between(rotated(turn, bone), direction), turn);
}
