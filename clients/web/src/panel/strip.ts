// The strip: a timeline of the session around now, on a canvas, and its figures as text.
// Knows the chronicle; nothing of the connection.

import { spoken } from "../body/skeleton";
import { IntentPhase } from "../gen/contrapose/v1/interaction_pb";
import type { Chronicle } from "../session/chronicle";
import { NOTHING, kindSpoken, phaseSpoken } from "../session/intent";
import type { Theme } from "./theme";

export interface Moment {
  /** Seconds on the session's clock, as shown: playout delay taken off. */
  readonly now: number;
  readonly frameRate: number;
  readonly commitFrames: number;
  /** Last frame that is here. */
  readonly plannedUntil: number;
}

const PAST_S = 4;
const AHEAD_S = 3;
const FONT = "12px system-ui, sans-serif";
const ROW = 24;
const LABELS = 66;
/** How plainly an intent is drawn, by how far its answer is. */
const PLAIN: Readonly<Record<number, number>> = {
  [IntentPhase.OFFERED]: 0.5,
  [IntentPhase.COMING]: 0.5,
  [IntentPhase.MET]: 0.75,
};
const FAINT = 0.25;
const FROZEN = "◂ frozen";

export class Strip {
  readonly #context: CanvasRenderingContext2D;
  #width = 0;
  #height = 0;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.#context = canvas.getContext("2d")!;
  }

  resize(): void {
    const { clientWidth, clientHeight } = this.canvas;
    const ratio = Math.min(window.devicePixelRatio, 2);
    this.#width = clientWidth;
    this.#height = clientHeight;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  draw(chronicle: Chronicle, moment: Moment, theme: Theme): void {
    const context = this.#context;
    const { now } = moment;
    const x = (time: number) =>
      LABELS + ((time - now + PAST_S) / (PAST_S + AHEAD_S)) * (this.#width - LABELS);

    context.clearRect(0, 0, this.#width, this.#height);
    context.font = FONT;
    context.textBaseline = "middle";
    this.#seconds(x, now, theme);
    this.#plan(chronicle, moment, x, theme);
    this.#revisions(chronicle, x, now, theme);
    this.#touches(chronicle, moment, x, theme);
    this.#intents(chronicle, x, now, theme);
    this.#labels(theme);
    context.fillStyle = theme.text;
    context.fillRect(x(now) - 0.75, 0, 1.5, this.#height - 16);
  }

  #seconds(x: (time: number) => number, now: number, theme: Theme): void {
    const context = this.#context;
    context.textAlign = "center";
    for (let second = Math.ceil(now - PAST_S); second <= now + AHEAD_S; second++) {
      context.fillStyle = theme.line;
      context.fillRect(x(second), 0, 1, this.#height - 16);
      context.fillStyle = theme.muted;
      if (second >= 0 && x(second) > LABELS + 12) context.fillText(`${second} s`, x(second), this.#height - 8);
    }
  }

  #plan(chronicle: Chronicle, moment: Moment, x: (time: number) => number, theme: Theme): void {
    const context = this.#context;
    const { now, frameRate, commitFrames, plannedUntil } = moment;
    const frame = Math.max(x(1 / frameRate) - x(0) - 1, 1);
    for (const { index, quality, isLate } of chronicle.frames) {
      if (index / frameRate < now - PAST_S) continue;
      context.fillStyle = isLate ? theme.bad : quality === "GENERATED" ? theme.partner : theme.muted;
      context.fillRect(x(index / frameRate), 5, frame, 14);
    }
    const frozen = Math.min(Math.floor(now * frameRate) + commitFrames, plannedUntil);
    for (let index = Math.floor(now * frameRate) + 1; index <= plannedUntil; index++) {
      context.fillStyle = theme.partner;
      context.globalAlpha = index <= frozen ? 0.7 : 0.3;
      context.fillRect(x(index / frameRate), 5, frame, 14);
    }
    context.globalAlpha = 1;
    const end = x((frozen + 1) / frameRate) - 1;
    context.fillStyle = theme.text;
    context.fillRect(end, 2, 1.5, 20);
    const horizon = `horizon ${((plannedUntil - now * frameRate) / frameRate).toFixed(1)} s`;
    const right = x((plannedUntil + 1) / frameRate) - 4;
    if (right - end < context.measureText(FROZEN + horizon).width + 16) return;
    this.#say(FROZEN, end + 4, 12, theme.text, "left");
    this.#say(horizon, right, 12, theme.text, "right");
  }

  #revisions(chronicle: Chronicle, x: (time: number) => number, now: number, theme: Theme): void {
    let free = LABELS;
    for (const { time, cause } of chronicle.revisions) {
      if (time < now - PAST_S - 1) continue;
      const at = x(time);
      if (at > LABELS) {
        this.#context.fillStyle = theme.accent;
        this.#context.fillRect(at - 1, ROW + 4, 2, 16);
      }
      const wide = this.#context.measureText(cause).width;
      if (at + 5 < free || at < LABELS) continue;
      this.#say(cause, at + 5, ROW + 12, theme.text, "left");
      free = at + wide + 14;
    }
  }

  #touches(chronicle: Chronicle, moment: Moment, x: (time: number) => number, theme: Theme): void {
    const context = this.#context;
    const { now, frameRate } = moment;
    let free = LABELS;
    const touches = [...chronicle.touches.values()].sort((a, b) => a.startFrame - b.startFrame);
    for (const touch of touches) {
      const [from, to] = [x(touch.startFrame / frameRate), x((touch.endFrame + 1) / frameRate)];
      if (to < LABELS || from > this.#width) continue;
      const isAhead = touch.startFrame / frameRate > now;
      context.fillStyle = theme.accent;
      context.globalAlpha = isAhead ? 0.35 : 0.75;
      context.fillRect(Math.max(from, LABELS), 2 * ROW + 4, Math.max(to - Math.max(from, LABELS), 3), 16);
      context.globalAlpha = 1;
      const at = Math.max(from, LABELS) + 4;
      if (at < free) continue;
      const speed = touch.closingSpeed > 0 ? ` ${touch.closingSpeed.toFixed(1)} m/s` : "";
      const text = `${spoken(touch.partnerJoint)} on ${spoken(touch.playerJoint)}${speed}`;
      this.#say(text, at, 2 * ROW + 12, theme.text, "left");
      free = at + context.measureText(text).width + 10;
    }
  }

  #intents(chronicle: Chronicle, x: (time: number) => number, now: number, theme: Theme): void {
    const context = this.#context;
    const shown = chronicle.intents
      .map((seen, index) => ({
        ...seen,
        from: Math.max(x(seen.time), LABELS),
        to: x(Math.min(chronicle.intents[index + 1]?.time ?? now, now)),
        words: phaseSpoken(seen.phase),
      }))
      .filter(({ kind, to, words }) => to > LABELS && (kind !== NOTHING || words !== ""));
    context.fillStyle = theme.player;
    for (const { from, to, phase } of shown) {
      context.globalAlpha = PLAIN[phase] ?? FAINT;
      context.fillRect(from, 3 * ROW + 4, Math.max(to - from, 1), 16);
    }
    context.globalAlpha = 1;
    let [free, before] = [LABELS, ""];
    for (const { from, kind, words } of shown) {
      const parts = kind === before || kind === NOTHING ? [words] : [kindSpoken(kind), words];
      const text = parts.filter((part) => part !== "").join(": ");
      if (text === "" || from + 4 < free) continue;
      this.#say(text, from + 4, 3 * ROW + 12, theme.text, "left");
      free = from + context.measureText(text).width + 10;
      before = kind;
    }
  }

  #labels(theme: Theme): void {
    ["plan", "revisions", "touches", "intent"].forEach((label, row) => {
      this.#say(label, 0, row * ROW + 12, theme.muted, "left");
    });
  }

  #say(text: string, x: number, y: number, color: string, align: CanvasTextAlign): void {
    this.#context.textAlign = align;
    this.#context.fillStyle = color;
    this.#context.fillText(text, x, y);
  }
}
