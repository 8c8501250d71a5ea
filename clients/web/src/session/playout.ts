// Playout: which frame to show now, and how well that went. The same rules as PlayoutBuffer of
// clients/python/contrapose_client/playout.py; test/vectors.json holds the two together.
// Knows frames and numbers; no socket, and no clock of its own: times are session seconds, given.

import type { BodyPose, FrameChunk } from "../gen/contrapose/v1/types_pb";
import { FrameQuality } from "../gen/contrapose/v1/types_pb";
import { CURL_COUNT, mixedCurls } from "../body/fingers";
import type { Pose } from "../body/pose";
import { JOINT_COUNT } from "../body/skeleton";

/** Frames in which a partner comes back to the plan, after it had run out. */
export const EASE_FRAMES = 5;

export type Quality = "GENERATED" | "HELD" | "FALLBACK" | "UNSPECIFIED";

export interface PlanFrame {
  readonly index: number;
  readonly partner: Pose;
  /** The player as planned. */
  readonly player: Pose;
  readonly quality: Quality;
  readonly revision: number;
  readonly window: number;
  /** Session time at which this index was first heard of. */
  readonly arrived: number;
  /** It was not there when its time came; an older pose is shown in its place. */
  readonly isLate: boolean;
}

export function poseOf(body: BodyPose | undefined): Pose {
  return {
    quats: Float32Array.from(body?.rotations ?? []),
    transl: Float32Array.from(body?.rootTranslation ?? []),
    curls: body?.curls.length === CURL_COUNT ? Float32Array.from(body.curls) : undefined,
  };
}

function qualityOf(quality: FrameQuality): Quality {
  switch (quality) {
    case FrameQuality.GENERATED:
      return "GENERATED";
    case FrameQuality.HELD:
      return "HELD";
    case FrameQuality.FALLBACK:
      return "FALLBACK";
    default:
      return "UNSPECIFIED";
  }
}

export class PlayoutBuffer {
  hasBegun = false;
  lateFrames = 0;
  overwritten = 0;
  framesShown = 0;
  readonly #plan = new Map<number, PlanFrame>();
  #next = 0;
  #shown: PlanFrame | null = null;
  #easesFrom: PlanFrame | null = null;
  #eased = 0;

  constructor(
    readonly playoutDelay: number,
    readonly frameRate: number,
  ) {}

  /** The next frames may not continue the shown ones: ease into them. */
  easeIn(): void {
    this.#easesFrom = this.#shown;
    this.#eased = 0;
  }

  /** Take a chunk that arrives now; frames already shown and older revisions are ignored. */
  accept(chunk: FrameChunk, sessionTime: number): void {
    const first = Number(chunk.firstFrameIndex);
    chunk.frames.forEach((frame, offset) => {
      const index = first + offset;
      const known = this.#plan.get(index);
      if (index < this.#next || (known && known.revision > chunk.revision)) return;
      if (known) this.overwritten += 1;
      this.#plan.set(index, {
        index,
        partner: poseOf(frame.partner),
        player: poseOf(frame.player),
        quality: qualityOf(frame.quality),
        revision: chunk.revision,
        window: frame.window,
        arrived: known?.arrived ?? sessionTime,
        isLate: false,
      });
    });
  }

  /** Begin to show now; frames that were due before anything came are left out. All frames that are
   * here arrived by now, whatever the clock was guessed to be when they did. */
  begin(sessionTime: number): void {
    this.hasBegun = true;
    this.#next = Math.max(Math.ceil((sessionTime - this.playoutDelay) * this.frameRate), 0);
    for (const [index, frame] of [...this.#plan]) {
      if (index < this.#next) this.#plan.delete(index);
      else this.#plan.set(index, { ...frame, arrived: Math.min(frame.arrived, sessionTime) });
    }
  }

  /** Session time at which a frame is to be shown. */
  due(index: number): number {
    return index / this.frameRate + this.playoutDelay;
  }

  /** The next frame, which is due now; a late one shows the last pose again. Null when nothing has
   * ever come. */
  show(): PlanFrame | null {
    const index = this.#next;
    this.#next += 1;
    this.framesShown += 1;
    const planned = this.#plan.get(index);
    this.#plan.delete(index);
    if (planned && planned.arrived <= this.due(index)) {
      this.#shown = this.#stepBack(planned);
      return this.#shown;
    }
    this.lateFrames += 1;
    if (!planned) this.easeIn();
    const held = planned ? this.#stepBack(planned) : this.#shown;
    if (held === null) return null;
    this.#shown = { ...held, index, quality: "HELD", isLate: true };
    return this.#shown;
  }

  /** The frame after the shown one, as it would be shown in time; null while it is not here. */
  peek(): PlanFrame | null {
    const planned = this.#plan.get(this.#next);
    if (!planned) return null;
    return this.#withEase(planned, this.#eased + 1);
  }

  /** One frame further back to the plan. */
  #stepBack(planned: PlanFrame): PlanFrame {
    const frame = this.#withEase(planned, this.#eased + 1);
    if (this.#easesFrom !== null) {
      this.#eased += 1;
      if (this.#eased === EASE_FRAMES) this.#easesFrom = null;
    }
    return frame;
  }

  /** Between the held pose and the plan, if the plan has only just come back. */
  #withEase(planned: PlanFrame, eased: number): PlanFrame {
    if (this.#easesFrom === null) return planned;
    const even = eased / (EASE_FRAMES + 1);
    const part = even * even * (3 - 2 * even);
    return { ...planned, partner: easedPose(this.#easesFrom.partner, planned.partner, part) };
  }

  get nextIndex(): number {
    return this.#next;
  }

  get shown(): PlanFrame | null {
    return this.#shown;
  }

  /** Indices that are here and not yet shown. */
  get planned(): number[] {
    return [...this.#plan.keys()].sort((a, b) => a - b);
  }

  /** A frame that is here and not yet shown. */
  frame(index: number): PlanFrame | undefined {
    return this.#plan.get(index);
  }
}

/** Rotations mixed by their numbers, then made unit again, the short way: what Python does. */
function easedPose(held: Pose, planned: Pose, part: number): Pose {
  const quats = new Float32Array(4 * JOINT_COUNT);
  for (let at = 0; at < quats.length; at += 4) {
    let dot = 0;
    for (let i = at; i < at + 4; i++) dot += held.quats[i]! * planned.quats[i]!;
    const sign = dot < 0 ? -1 : 1;
    let square = 0;
    for (let i = at; i < at + 4; i++) {
      quats[i] = (1 - part) * sign * held.quats[i]! + part * planned.quats[i]!;
      square += quats[i]! ** 2;
    }
    for (let i = at; i < at + 4; i++) quats[i]! /= Math.sqrt(square);
  }
  const transl = held.transl.map((value, i) => (1 - part) * value + part * planned.transl[i]!);
  return { quats, transl, curls: mixedCurls(held.curls, planned.curls, part) };
}
