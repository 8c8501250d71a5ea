// Records both people as they were shown, frame by frame, to be saved as a motion. Knows motions.

import type { Pose } from "../body/pose";
import type { RestOffsets } from "../body/skeleton";
import type { Motion } from "../motion/motion";

const NO_SHAPE: readonly number[] = Array<number>(10).fill(0);
/** An hour at ten frames a second: what memory and files bear. */
const MOST_FRAMES = 36_000;

export class Recorder {
  readonly #frames: { player: Pose; partner: Pose }[] = [];

  get frames(): number {
    return this.#frames.length;
  }

  add(player: Pose, partner: Pose): void {
    if (this.#frames.length < MOST_FRAMES) this.#frames.push({ player, partner });
  }

  /** Rest offsets and shapes of player and partner as the session has them. */
  motion(
    frameRate: number,
    player: { rest: RestOffsets; betas: readonly number[] },
    partner: { rest: RestOffsets; betas: readonly number[] },
  ): Motion {
    const shape = (betas: readonly number[]) => (betas.length === 10 ? betas : NO_SHAPE);
    return {
      name: "interaction",
      frameRate,
      people: [
        { frames: this.#frames.map((f) => f.player), betas: shape(player.betas), rest: player.rest },
        { frames: this.#frames.map((f) => f.partner), betas: shape(partner.betas), rest: partner.rest },
      ],
    };
  }
}
