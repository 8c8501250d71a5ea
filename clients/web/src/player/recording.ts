// A recorded player, there and back for ever. Knows motions.

import type { Pose } from "../body/pose";
import { poseAt } from "../motion/motion";
import type { Motion } from "../motion/motion";
import type { Header, PlayerInput } from "../session/interaction";
import type { PlayerSource } from "./source";

const LEAST_BETA = 1e-6;

export class Recording implements PlayerSource {
  readonly name: string;
  readonly header: Header;

  constructor(private readonly motion: Motion) {
    this.name = motion.name;
    const betas = motion.people[0]!.betas;
    this.header = betas.some((beta) => Math.abs(beta) > LEAST_BETA) ? { playerBetas: [...betas] } : {};
  }

  input(time: number): PlayerInput {
    const { quats, transl, curls = [] } = this.shown(time);
    return { case: "body", value: { rotations: [...quats], rootTranslation: [...transl], curls: [...curls] } };
  }

  shown(time: number): Pose {
    return poseAt(this.motion, this.motion.people[0]!, time);
  }
}
