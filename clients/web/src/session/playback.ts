// Playback: from ten frames a second to the display's rate. Between two frames both people are
// interpolated; where a frame does not continue what was shown, the difference dies away. Knows the playout; no socket, no scene, no clock of its own.

import { corrected, correction, differ, mixed } from "../body/pose";
import type { Correction, Pose } from "../body/pose";
import type { PlanFrame, PlayoutBuffer } from "./playout";

/** Seconds in which the difference at a seam dies away. */
export const BLEND_S = 0.3;

export interface Shown {
  /** Frame index on the session's clock, with the part of the way to the next. */
  readonly frame: number;
  readonly partner: Pose;
  /** The player as planned. */
  readonly player: Pose;
  readonly quality: PlanFrame["quality"];
  readonly isLate: boolean;
}

/** Two poses that one person is between; a correction that dies away stands over them. */
class Line {
  #from: Pose | null = null;
  #to: Pose | null = null;
  #change: Correction | null = null;
  #since = 0;

  /** The frame is shown that was `to`, or another one: the difference is made up for. */
  advance(shown: Pose, next: Pose, time: number): void {
    if (this.#to !== null && differ(this.#to, shown)) {
      this.#blend(this.at(1, time), shown, time);
    }
    this.#from = shown;
    this.#to = next;
  }

  /** The next frame came while the pose was held for want of it. One that replaces another waits
   * until it is shown: `advance` makes up for the difference. */
  aim(next: Pose, part: number, time: number): void {
    if (this.#from === null || this.#to !== this.#from || next === this.#to) return;
    this.#blend(this.at(part, time), mixed(this.#from, next, part), time);
    this.#to = next;
  }

  at(part: number, time: number): Pose {
    const raw = mixed(this.#from!, this.#to!, part);
    const left = this.#change === null ? 0 : 1 - smooth((time - this.#since) / BLEND_S);
    if (left <= 0) this.#change = null;
    return this.#change === null ? raw : corrected(raw, this.#change, left);
  }

  #blend(seen: Pose, raw: Pose, time: number): void {
    this.#change = correction(raw, seen);
    this.#since = time;
  }
}

function smooth(part: number): number {
  const clipped = Math.min(Math.max(part, 0), 1);
  return clipped * clipped * (3 - 2 * clipped);
}

export class Playback {
  readonly #partner = new Line();
  readonly #player = new Line();

  /** `onFrame` hears of each frame when it is shown, late ones too. */
  constructor(
    readonly playout: PlayoutBuffer,
    private readonly onFrame: (frame: PlanFrame) => void = () => undefined,
  ) {}

  /** What to show at a session time; null before anything has come. Times must not decrease. */
  at(sessionTime: number): Shown | null {
    const { playout } = this;
    if (!playout.hasBegun) return null;
    while (playout.due(playout.nextIndex) <= sessionTime) {
      const time = playout.due(playout.nextIndex);
      const frame = playout.show();
      if (frame === null) continue;
      const next = playout.peek() ?? frame;
      this.#partner.advance(frame.partner, next.partner, time);
      this.#player.advance(frame.player, next.player, time);
      this.onFrame(frame);
    }
    const { shown } = playout;
    if (shown === null) return null;
    const ahead = (sessionTime - playout.due(shown.index)) * playout.frameRate;
    const part = Math.min(Math.max(ahead, 0), 1);
    const next = playout.peek() ?? shown;
    this.#partner.aim(next.partner, part, sessionTime);
    this.#player.aim(next.player, part, sessionTime);
    return {
      frame: shown.index + part,
      partner: this.#partner.at(part, sessionTime),
      player: this.#player.at(part, sessionTime),
      quality: shown.quality,
      isLate: shown.isLate,
    };
  }
}
