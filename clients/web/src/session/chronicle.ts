// What happened in a session, as far as it is worth showing: frames, revisions and their causes,
// touches, what the player seems to be about, latencies. Keeps the last minute at most.
// Knows messages of the session; draws nothing and has no clock: times are session seconds.

import type { IntentPhase, SessionStatus } from "../gen/contrapose/v1/interaction_pb";
import type { ContactEvent, FrameChunk } from "../gen/contrapose/v1/types_pb";
import type { PlanFrame, Quality } from "./playout";

/** Seconds that are kept. */
export const KEPT_S = 60;
/** Metres from which on a player's departure is the cause of a revision (docs/architecture.md). */
const DEPARTURE = 0.03;
/** Seconds within which a revision answers what was asked for. */
const ANSWER_S = 2;

export interface Revision {
  readonly time: number;
  readonly number: number;
  readonly cause: string;
}

export interface Touch {
  readonly playerJoint: number;
  readonly partnerJoint: number;
  readonly startFrame: number;
  readonly endFrame: number;
  readonly closingSpeed: number;
}

export interface FrameMark {
  readonly index: number;
  readonly quality: Quality;
  readonly isLate: boolean;
}

/** From then on the player was about this, and the answer so far. */
export interface Seen {
  readonly time: number;
  readonly kind: string;
  readonly phase: IntentPhase;
}

export class Chronicle {
  frames: FrameMark[] = [];
  revisions: Revision[] = [];
  readonly touches = new Map<string, Touch>();
  reactions: { time: number; ms: number }[] = [];
  lateTimes: number[] = [];
  intents: Seen[] = [];
  #revision = 0;
  #departures: number[] = [];
  #asked: { what: string; time: number } | null = null;

  /** The client asks for something else: the next revision answers it. */
  asked(what: string, time: number): void {
    this.#asked = { what, time };
  }

  chunk(chunk: FrameChunk, time: number, frameRate: number): void {
    const ms = chunk.latency?.reactionMs;
    if (ms !== undefined) this.reactions.push({ time, ms });
    if (chunk.revision > this.#revision) {
      const isFrozen = Number(chunk.firstFrameIndex) <= Math.floor(time * frameRate) + 1;
      this.revisions.push({ time, number: chunk.revision, cause: this.#cause(time, isFrozen) });
      this.#revision = chunk.revision;
    }
    this.#noteTouches(chunk.contacts, time * frameRate);
    this.#forget(time);
  }

  status(status: SessionStatus, time: number): void {
    this.#departures = [...this.#departures.slice(-2), status.departure];
    const { kind, phase } = status.intent ?? {};
    const last = this.intents.at(-1);
    if (kind === undefined || phase === undefined) return;
    if (kind !== last?.kind || phase !== last.phase) this.intents.push({ time, kind, phase });
    // The newest holds until another comes, however long ago it began.
    while (this.intents[1] && this.intents[1].time < time - KEPT_S) this.intents.shift();
  }

  shown(frame: PlanFrame, time: number): void {
    const { index, quality, isLate } = frame;
    this.frames.push({ index, quality, isLate });
    if (isLate) this.lateTimes.push(time);
    if (this.frames.length > 10 * KEPT_S) this.frames.splice(0, 60);
  }

  /** Median and 95th percentile of the reactions kept, milliseconds; null: none. */
  reaction(): { p50: number; p95: number } | null {
    const sorted = this.reactions.map(({ ms }) => ms).sort((a, b) => a - b);
    if (sorted.length === 0) return null;
    const at = (part: number) => sorted[Math.min(Math.floor(part * sorted.length), sorted.length - 1)]!;
    return { p50: at(0.5), p95: at(0.95) };
  }

  #cause(time: number, isFrozen: boolean): string {
    const asked = this.#asked;
    this.#asked = null;
    if (asked && time - asked.time < ANSWER_S) return asked.what;
    // Only whoever would enter the zone is moved within frozen frames.
    if (isFrozen) return "gives way";
    const departure = Math.max(...this.#departures, 0);
    return departure >= DEPARTURE ? `player moved ${(100 * departure).toFixed(0)} cm` : "player moved";
  }

  #noteTouches(contacts: readonly ContactEvent[], now: number): void {
    for (const [id, touch] of this.touches) {
      // A touch that is still to come holds only as long as chunks name it.
      if (touch.startFrame > now || touch.endFrame < now - 10 * KEPT_S) this.touches.delete(id);
    }
    for (const contact of contacts) {
      this.touches.set(String(contact.contactId), {
        playerJoint: contact.playerJoint,
        partnerJoint: contact.partnerJoint,
        startFrame: Number(contact.startFrameIndex),
        endFrame: Number(contact.endFrameIndex),
        closingSpeed: contact.closingSpeed,
      });
    }
  }

  #forget(time: number): void {
    const kept = time - KEPT_S;
    while (this.reactions[0] && this.reactions[0].time < kept) this.reactions.shift();
    while (this.revisions[0] && this.revisions[0].time < kept) this.revisions.shift();
    while (this.lateTimes[0] !== undefined && this.lateTimes[0] < kept) this.lateTimes.shift();
  }
}
