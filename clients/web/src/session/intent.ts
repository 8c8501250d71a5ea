// What the player is about, as the server tells it, and what the partner may do about that.
// Knows messages of the session; draws nothing and has no clock: frames are the session's.

import { IntentPhase, Respond } from "../gen/contrapose/v1/interaction_pb";
import type { Intent, Offer } from "../gen/contrapose/v1/interaction_pb";

/** Whether the partner answers, as the page says it. */
export const RESPOND = { always: Respond.ALWAYS, ask: Respond.ASK, never: Respond.NEVER } as const;
export type Responding = keyof typeof RESPOND;

export const NOTHING = "nothing";
const PHASES: Readonly<Record<number, string>> = {
  [IntentPhase.OFFERED]: "answer it?",
  [IntentPhase.COMING]: "partner comes",
  [IntentPhase.MET]: "met",
  [IntentPhase.LEAVING]: "partner lets go",
};
/** Probabilities under this are not worth a word. */
const LEAST = 0.01;

/** A kind as people say it: "high five right". */
export function kindSpoken(kind: string): string {
  return kind.replaceAll("_", " ");
}

/** How far the answer is, in words; empty: the partner does nothing about it. */
export function phaseSpoken(phase: IntentPhase): string {
  return PHASES[phase] ?? "";
}

/** The most probable kinds, the first of them first: "wave 93 %, nothing 6 %". */
export function probableKinds(intent: Intent, most: number): string {
  return intent.kinds
    .map((kind, index) => ({ kind, probability: intent.probabilities[index] ?? 0 }))
    .filter(({ probability }) => probability >= LEAST)
    .sort((a, b) => b.probability - a.probability)
    .slice(0, most)
    .map(({ kind, probability }) => `${kindSpoken(kind)} ${(100 * probability).toFixed(0)} %`)
    .join(", ");
}

/** What is seen, and how far the answer is: "wave: met", "right hand: partner comes, 0.4 s". */
export function intentSpoken(intent: Intent): string {
  const phase = phaseSpoken(intent.phase);
  const seconds = intent.secondsToContact ?? 0;
  const left = seconds > 0 ? `, ${seconds.toFixed(1)} s` : "";
  return phase ? `${kindSpoken(intent.kind)}: ${phase}${left}` : kindSpoken(intent.kind);
}

/** What the client is asked, as long as it may still confirm it. */
export class Question {
  #offer: Offer | null = null;

  asked(offer: Offer): void {
    this.#offer = offer;
  }

  /** A status that comes after an offer knows whether it still stands. */
  told(intent: Intent | undefined): void {
    if (intent?.phase !== IntentPhase.OFFERED) this.#offer = null;
  }

  /** What is asked when `frame` is due; null: nothing. */
  open(frame: number): Offer | null {
    return this.#offer && frame < Number(this.#offer.untilFrameIndex) ? this.#offer : null;
  }

  /** The offer that is to be confirmed, once; null: it is too late. */
  taken(frame: number): Offer | null {
    const offer = this.open(frame);
    this.#offer = null;
    return offer;
  }
}
