// Motion: frames of one or more people at a steady rate, as files hold them. Knows no file and no
// session.

import { mixed } from "../body/pose";
import type { Pose } from "../body/pose";
import type { RestOffsets } from "../body/skeleton";

export interface Person {
  readonly frames: readonly Pose[];
  /** 10 numbers: the shape. */
  readonly betas: readonly number[];
  /** Offsets of the joints in the rest pose. */
  readonly rest: RestOffsets;
}

export interface Motion {
  readonly name: string;
  readonly frameRate: number;
  readonly people: readonly Person[];
}

export function durationOf(motion: Motion): number {
  return ((motion.people[0]?.frames.length ?? 1) - 1) / motion.frameRate;
}

/** A person at a time in seconds: the motion is played there and back for ever. */
export function poseAt(motion: Motion, person: Person, time: number): Pose {
  const last = person.frames.length - 1;
  if (last === 0) return person.frames[0]!;
  const cycle = (Math.max(time, 0) * motion.frameRate) % (2 * last);
  const at = cycle <= last ? cycle : 2 * last - cycle;
  const index = Math.min(Math.floor(at), last - 1);
  return mixed(person.frames[index]!, person.frames[index + 1]!, at - index);
}
