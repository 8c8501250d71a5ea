// A live session from the page's side: poses out, frames in, and what becomes of it when the
// connection is lost. Knows the wire and the playout; neither the scene nor where poses come from.
// Times are seconds of the page's own clock, from `now`, which tests may replace.

import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ClockPong, SessionAccepted, SessionControlSchema, SessionEvent, SessionHeaderSchema, SessionStatus,
  SessionSummary, PlayerPoseSchema,
} from "../gen/contrapose/v1/interaction_pb";
import type { ContactEvent, FrameChunk } from "../gen/contrapose/v1/types_pb";
import { ClockSync } from "./clock";
import { Connection } from "./connection";
import type { Ending, Received } from "./connection";
import { Playback } from "./playback";
import type { Shown } from "./playback";
import { PlayoutBuffer } from "./playout";
import type { PlanFrame } from "./playout";

export type Header = MessageInitShape<typeof SessionHeaderSchema>;
export type Control = MessageInitShape<typeof SessionControlSchema>;
export type PlayerInput = NonNullable<MessageInitShape<typeof PlayerPoseSchema>["input"]>;

export type Phase = "connecting" | "live" | "lost" | "refused" | "ended";

export interface Listener {
  /** `ending` tells why, in the phases "lost", "refused" and "ended". */
  phase?: (phase: Phase, ending: Ending | null) => void;
  accepted?: (accepted: SessionAccepted) => void;
  /** A revision or more of the plan came; contacts and latencies are in it. */
  chunk?: (chunk: FrameChunk, sessionTime: number) => void;
  status?: (status: SessionStatus, sessionTime: number) => void;
  event?: (event: SessionEvent) => void;
  summary?: (summary: SessionSummary) => void;
  shown?: (frame: PlanFrame) => void;
}

const CLIENT = { clientName: "contrapose-viewer", clientVersion: "0.1.0" };
const QUICK_PINGS = 5;
const QUICK_PING_S = 0.1;
const PING_S = 1;
/** Seconds between tries to resume: the first, and the most. */
const FIRST_RETRY_S = 0.25;
const MOST_RETRY_S = 4;
/** Seconds for which a token is good (docs/resume.md). */
const RESUMABLE_S = 600;
/** Least step of a time code, seconds. */
const TICK_S = 1e-4;

export class Interaction {
  phase: Phase = "connecting";
  accepted: SessionAccepted | null = null;
  status: SessionStatus | null = null;
  contacts: readonly ContactEvent[] = [];
  readonly clock = new ClockSync();
  #connection: Connection | null = null;
  #playback: Playback | null = null;
  #sequence = 0n;
  #timeCode = -1;
  #pings = 0n;
  #nextPing = 0;
  #lostAt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryIn = FIRST_RETRY_S;
  #newestRevision = 0;

  constructor(
    private readonly address: string,
    private readonly token: string,
    private readonly header: Header,
    private readonly on: Listener,
    private readonly now: () => number = () => performance.now() / 1000,
  ) {
    this.#connect();
  }

  get playout(): PlayoutBuffer | null {
    return this.#playback?.playout ?? null;
  }

  /** Seconds on the session's clock; null before the first pose. */
  sessionTime(): number | null {
    return this.clock.hasBegun ? this.clock.sessionTime(this.now()) : null;
  }

  /** What to show now; null before anything came. */
  shown(): Shown | null {
    const time = this.sessionTime();
    const playback = this.#playback;
    if (time === null || playback === null) return null;
    const { playout } = playback;
    if (!playout.hasBegun) {
      if (playout.planned.length === 0 || !this.clock.isTold) return null;
      playout.begin(time);
    }
    return playback.at(time);
  }

  /** The player now. The first one starts the session's clock. */
  sendPlayer(input: PlayerInput): void {
    if (this.phase !== "live") return;
    const now = this.now();
    if (!this.clock.hasBegun) this.clock.begin(now);
    this.#timeCode = Math.max(this.clock.sessionTime(now), this.#timeCode + TICK_S, 0);
    this.#sequence += 1n;
    const pose = { sequence: this.#sequence, timeCode: this.#timeCode, input };
    this.#connection?.send({ case: "pose", value: pose });
    if (now >= this.#nextPing) this.#ping(now);
  }

  control(control: Control): void {
    if (this.phase === "live") this.#connection?.send({ case: "control", value: control });
  }

  /** Says that no more poses come; the server's summary and the end follow. */
  finish(): void {
    clearTimeout(this.#retry);
    if (this.phase === "live" && this.#connection?.send({ case: "end", value: {} })) return;
    this.stop();
  }

  /** Ends it at once, without a summary. */
  stop(): void {
    clearTimeout(this.#retry);
    this.#connection?.close();
    if (this.phase !== "refused") this.#enter("ended", null);
  }

  #connect(): void {
    this.#connection = new Connection(this.address, this.token, {
      open: () => this.#connection?.send({ case: "header", value: this.#opening() }),
      received: (part) => {
        this.#receive(part);
      },
      ended: (ending) => {
        this.#endedBy(ending);
      },
    });
  }

  #opening(): Header {
    const resumeToken = this.status?.resumeToken;
    if (this.phase === "lost" && resumeToken) return { ...CLIENT, resumeToken };
    return { ...CLIENT, ...this.header };
  }

  #ping(now: number): void {
    this.#pings += 1n;
    this.#nextPing = now + (this.#pings < QUICK_PINGS ? QUICK_PING_S : PING_S);
    this.#connection?.send({ case: "ping", value: { pingId: this.#pings, clientTime: now } });
  }

  #receive(part: Received): void {
    switch (part.case) {
      case "accepted":
        this.#onAccepted(part.value);
        break;
      case "frames":
        this.#onFrames(part.value);
        break;
      case "pong":
        this.#onPong(part.value);
        break;
      case "status":
        this.status = part.value;
        this.on.status?.(part.value, this.sessionTime() ?? 0);
        break;
      case "event":
        this.on.event?.(part.value);
        break;
      case "summary":
        this.on.summary?.(part.value);
        break;
      default: // a newer server's, which says nothing to us
    }
  }

  #onAccepted(accepted: SessionAccepted): void {
    this.accepted = accepted;
    if (this.#playback === null) {
      const playout = new PlayoutBuffer(accepted.playoutDelay, accepted.frameRate);
      this.#playback = new Playback(playout, this.on.shown);
    } else {
      this.clock.carryOn();
      this.#pings = 0n;
      this.#nextPing = 0;
      // The last frames that came may not be in the token.
      if (this.#newestRevision > (this.status?.revision ?? 0)) this.playout?.easeIn();
    }
    this.#retryIn = FIRST_RETRY_S;
    this.on.accepted?.(accepted);
    this.#enter("live", null);
  }

  #onFrames(chunk: FrameChunk): void {
    const time = this.sessionTime() ?? 0;
    this.playout?.accept(chunk, time);
    this.contacts = chunk.contacts;
    this.#newestRevision = Math.max(this.#newestRevision, chunk.revision);
    this.on.chunk?.(chunk, time);
  }

  #onPong(pong: ClockPong): void {
    if (pong.sessionTime >= 0) this.clock.add(pong.clientTime, this.now(), pong.sessionTime);
  }

  #endedBy(ending: Ending): void {
    if (ending.status === "OK") {
      this.#enter("ended", ending);
      return;
    }
    const hasToken = (this.status?.resumeToken.length ?? 0) > 0;
    const mayResume =
      hasToken &&
      (ending.status === "UNAVAILABLE" || ending.reason === "SESSION_EXISTS") &&
      (this.phase !== "lost" || this.now() - this.#lostAt < RESUMABLE_S);
    if (!mayResume) {
      this.#enter("refused", ending);
      return;
    }
    if (this.phase !== "lost") this.#lostAt = this.now();
    this.#enter("lost", ending);
    const wait = Math.max(this.#retryIn, ending.retrySeconds ?? 0);
    this.#retry = setTimeout(() => {
      this.#connect();
    }, 1000 * wait);
    this.#retryIn = Math.min(2 * this.#retryIn, MOST_RETRY_S);
  }

  #enter(phase: Phase, ending: Ending | null): void {
    this.phase = phase;
    this.on.phase?.(phase, ending);
  }
}
