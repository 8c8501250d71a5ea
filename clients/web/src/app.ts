// The page's heart: one player, one session, one stage. Puts them together and passes on what happens;
// what each does is its own module's business.

import { standing } from "./body/pose";
import type { Pose } from "./body/pose";
import type { RestOffsets } from "./body/skeleton";
import type { SessionAccepted, SessionEvent } from "./gen/contrapose/v1/interaction_pb";
import { SessionMode } from "./gen/contrapose/v1/interaction_pb";
import { DRAGGED } from "./player/dragging";
import { Headset } from "./player/headset";
import { pulse } from "./player/leads";
import type { Leads } from "./player/leads";
import { Puppet } from "./player/puppet";
import { Recording } from "./player/recording";
import type { PlayerSource } from "./player/source";
import type { Handle, Stage } from "./scene/stage";
import { Chronicle } from "./session/chronicle";
import type { Ending } from "./session/connection";
import { Question, RESPOND } from "./session/intent";
import type { Responding } from "./session/intent";
import { Interaction } from "./session/interaction";
import type { Control, Header, Phase } from "./session/interaction";
import type { Shown } from "./session/playback";
import { Recorder } from "./session/recorder";

/** Milliseconds between two poses that are sent: whole poses, and trackers, which are filtered. */
const SEND_MS = 33;
const POSE_EVERY = 3;
/** Frames until a place or a touch is wanted to be reached. */
const SOON_FRAMES = 15;
const HOLD_FRAMES = 15;

/** Milliseconds between two drawings where the machine draws in software, which leaves it time. */
const LOW_MS = 180;

/** What holds for every session until it is changed. */
export interface Wishes {
  text: string;
  energy: number;
  zone: number;
  isPaused: boolean;
  responding: Responding;
}

export interface Heard {
  phase(phase: Phase, ending: Ending | null): void;
  accepted(accepted: SessionAccepted): void;
  event(text: string): void;
}

export class App {
  readonly wishes: Wishes = { text: "", energy: 1, zone: 0, isPaused: false, responding: "always" };
  chronicle = new Chronicle();
  question = new Question();
  interaction: Interaction | null = null;
  recorder: Recorder | null = null;
  /** Balls to be clicked besides the hands of a puppet. */
  handles: readonly (Handle & { isChosen: boolean })[] = [];
  /** What is drawn of the session now; null: nothing has come yet. */
  drawn: Shown | null = null;
  /** Milliseconds of JavaScript of the last frames. */
  readonly workMs: number[] = [];
  #source: PlayerSource | null = null;
  #begun = 0;
  #beat = 0;
  #last = 0;
  #playerRest: RestOffsets;
  #partnerRest: RestOffsets;
  #player: Pose;
  #partner: Pose;
  readonly #felt = new Set<string>();

  constructor(
    readonly stage: Stage,
    private readonly leads: Leads,
    readonly rest: RestOffsets,
    private readonly address: string,
    private readonly token: string,
    private readonly heard: Heard,
  ) {
    this.#playerRest = this.#partnerRest = rest;
    this.#player = standing(rest);
    this.#partner = standing(rest, 0, 1, Math.PI);
    setInterval(() => {
      this.#send();
    }, SEND_MS);
  }

  get source(): PlayerSource | null {
    return this.#source;
  }

  get puppet(): Puppet | null {
    return this.#source instanceof Puppet ? this.#source : null;
  }

  /** A session of its own for a player: what a player sends cannot change within a session. */
  play(source: PlayerSource): void {
    this.interaction?.stop();
    this.#source = source;
    this.#begun = performance.now() / 1000;
    this.chronicle = new Chronicle();
    this.question = new Question();
    this.#felt.clear();
    this.recorder = null;
    this.#playerRest = this.#partnerRest = this.rest;
    this.#player = source.shown(0, null, this.rest);
    const header: Header = {
      ...source.header,
      text: this.wishes.text,
      energy: this.wishes.energy,
      zoneRadius: this.wishes.zone,
      mode: this.wishes.isPaused ? SessionMode.PAUSED : SessionMode.REACT,
      respond: RESPOND[this.wishes.responding],
    };
    this.interaction = new Interaction(this.address, this.token, header, {
      phase: (phase, ending) => {
        this.heard.phase(phase, ending);
      },
      accepted: (accepted) => {
        this.#accept(accepted);
      },
      chunk: (chunk, time) => {
        this.chronicle.chunk(chunk, time, this.interaction?.accepted?.frameRate ?? 10);
      },
      status: (status, time) => {
        this.chronicle.status(status, time);
        this.question.told(status.intent);
      },
      event: (event) => {
        this.#onEvent(event);
      },
      shown: (frame) => {
        this.chronicle.shown(frame, this.interaction?.sessionTime() ?? 0);
        this.recorder?.add(withHandsOf(this.#playerAt(frame.index), frame.player), frame.partner);
      },
    });
  }

  /** Opens the session of the same player again. */
  again(): void {
    if (this.#source) this.play(this.#source);
  }

  /** Wants something else from now on; `what` is said of the revision that comes of it. */
  want(what: string, control: Control): void {
    this.chronicle.asked(what, this.interaction?.sessionTime() ?? 0);
    this.interaction?.control(control);
  }

  /** Whether the partner is to answer what the player is about, from now on. */
  respond(how: Responding): void {
    this.wishes.responding = how;
    this.interaction?.control({ respond: RESPOND[how] });
  }

  /** Has the partner answer what is asked; nothing, if that is too late. */
  confirm(): void {
    const offer = this.question.taken(this.frameDue());
    if (offer) this.interaction?.control({ confirm: offer.offerId });
  }

  /** The session's frame that is due now. */
  frameDue(): number {
    const { interaction } = this;
    return Math.floor((interaction?.sessionTime() ?? 0) * (interaction?.accepted?.frameRate ?? 10));
  }

  goTo(x: number, z: number): void {
    const player = this.stage.figure("player")?.joints();
    const toPlayer = player ? Math.atan2(player[0]! - x, player[2]! - z) : 0;
    this.want("place", {
      place: { position: [x, 0, z], heading: toPlayer, frameIndex: 0n },
    });
    this.stage.setPlace({ x, z });
  }

  touch(partnerJoint: number, playerJoint: number): void {
    const frame = this.frameDue() + SOON_FRAMES;
    this.want("touch", {
      contact: { partnerJoint, playerJoint, frameIndex: BigInt(frame), holdFrames: HOLD_FRAMES },
    });
  }

  forget(): void {
    this.want("nothing more", { clearTargets: true });
    this.stage.setPlace(null);
  }

  record(): void {
    this.recorder = new Recorder();
  }

  /** What was recorded; null: nothing. */
  recorded() {
    const { recorder, interaction } = this;
    this.recorder = null;
    const accepted = interaction?.accepted;
    if (!recorder || recorder.frames === 0 || !accepted) return null;
    const shape = (rest: RestOffsets, betas: readonly number[] = []) => ({ rest, betas });
    return recorder.motion(
      accepted.frameRate,
      shape(this.#playerRest, accepted.playerSkeleton?.betas),
      shape(this.#partnerRest, accepted.partnerSkeleton?.betas),
    );
  }

  /** Draws; called for every frame of the display. */
  frame(time: number, xrFrame: XRFrame | undefined): void {
    if (this.stage.isLow && time - this.#last < LOW_MS) return;
    const began = performance.now();
    const seconds = Math.min((time - this.#last) / 1000, 0.2);
    this.#last = time;
    const { stage, interaction } = this;
    this.#readDevices(xrFrame);
    const shown = (this.drawn = interaction?.shown() ?? null);
    const sourceTime = this.#sourceTime(shown);
    const played = this.#source?.shown(sourceTime, shown?.player ?? null, this.#playerRest) ?? this.#player;
    this.#player = withHandsOf(played, shown?.player);
    this.#partner = shown?.partner ?? this.#beside(this.#player);
    stage.figure("player")?.pose(this.#player, this.#playerRest);
    stage.figure("partner")?.pose(this.#partner, this.#partnerRest);
    this.#mark();
    stage.follow(this.#middle(), seconds);
    stage.render();
    this.workMs.push(performance.now() - began);
    if (this.workMs.length > 600) this.workMs.splice(0, 300);
  }

  #accept(accepted: SessionAccepted): void {
    this.#playerRest = Float32Array.from(accepted.playerSkeleton?.restOffsets ?? this.rest);
    this.#partnerRest = Float32Array.from(accepted.partnerSkeleton?.restOffsets ?? this.rest);
    this.#source?.fit?.(this.#playerRest);
    this.heard.accepted(accepted);
  }

  #onEvent(event: SessionEvent): void {
    if (event.offer) this.question.asked(event.offer);
    if (event.text) this.heard.event(event.text);
    if (event.text.includes("place")) this.stage.setPlace(null);
  }

  #send(): void {
    this.puppet?.lead(this.leads.now());
    this.puppet?.step(performance.now() / 1000 - this.#begun);
    this.#beat += 1;
    const isPose = this.#source instanceof Recording;
    if (isPose && this.#beat % POSE_EVERY !== 0) return;
    const time = isPose ? this.#poseTime() : this.#sourceTime(null);
    const input = this.#source?.input(time);
    if (input) this.interaction?.sendPlayer(input);
  }

  /** The recording runs on the session's clock, so that pose k is that of frame k. */
  #poseTime(): number {
    return this.interaction?.sessionTime() ?? 0;
  }

  /** What is shown of a recording is of the same frame as the partner. */
  #sourceTime(shown: Shown | null): number {
    if (!(this.#source instanceof Recording)) return performance.now() / 1000 - this.#begun;
    return (shown?.frame ?? 0) / (this.interaction?.accepted?.frameRate ?? 10);
  }

  #playerAt(index: number): Pose {
    if (!(this.#source instanceof Recording)) return this.#player;
    return this.#source.shown(index / (this.interaction?.accepted?.frameRate ?? 10));
  }

  #readDevices(frame: XRFrame | undefined): void {
    const space = this.stage.renderer.xr.getReferenceSpace();
    if (frame && space && this.#source instanceof Headset) this.#source.read(frame, space);
  }

  /** Where the partner waits before the first frame: a step in front of the player. */
  #beside(player: Pose): Pose {
    if (this.interaction?.playout?.hasBegun) return this.#partner;
    const [, y = 0, , w = 1] = player.quats;
    const heading = 2 * Math.atan2(y, w);
    const [x = 0, , z = 0] = player.transl;
    return standing(this.rest, x + Math.sin(heading), z + Math.cos(heading), heading + Math.PI);
  }

  #middle(): { x: number; z: number } {
    const [a, b] = [this.#player.transl, this.#partner.transl];
    return { x: (a[0]! + b[0]!) / 2, z: (a[2]! + b[2]!) / 2 };
  }

  #mark(): void {
    const { stage, interaction } = this;
    const zone = this.wishes.zone;
    stage.setZone(zone, zone > 0 ? (stage.figure("player")?.joints() ?? null) : null);
    const hands = this.puppet ? DRAGGED.map((hand) => ({ ...hand, isChosen: false })) : [];
    stage.setHandles([...hands, ...this.handles]);
    const rate = interaction?.accepted?.frameRate ?? 10;
    const now = (interaction?.sessionTime() ?? 0) - (interaction?.accepted?.playoutDelay ?? 0);
    const coming = (interaction?.contacts ?? [])
      .filter(({ endFrameIndex }) => Number(endFrameIndex) / rate >= now)
      .map((contact) => ({
        id: String(contact.contactId),
        point: contact.point,
        inSeconds: Number(contact.startFrameIndex) / rate - now,
        speed: contact.closingSpeed,
      }))
      .filter(({ inSeconds, point }) => inSeconds < 1 && point.length === 3);
    stage.setContacts(coming);
    for (const { id, inSeconds, speed } of coming) {
      if (inSeconds > 0 || this.#felt.has(id)) continue;
      this.#felt.add(id);
      pulse(Math.min(0.3 + speed / 2, 1));
    }
  }
}

/** A pose with the fingers that were planned for it, where it says nothing of its own. */
function withHandsOf(pose: Pose, planned: Pose | undefined): Pose {
  return pose.curls || !planned?.curls ? pose : { ...pose, curls: planned.curls };
}
