// What leads the puppet: keys held down and a gamepad. Knows the browser's input; no player.

import { GESTURES } from "./puppet";
import type { Gesture, Lead } from "./puppet";

const KEYS: Readonly<Record<string, Partial<Lead>>> = {
  KeyW: { ahead: 1 }, ArrowUp: { ahead: 1 },
  KeyS: { ahead: -1 }, ArrowDown: { ahead: -1 },
  KeyA: { turn: 1 }, ArrowLeft: { turn: 1 },
  KeyD: { turn: -1 }, ArrowRight: { turn: -1 },
  KeyQ: { aside: 1 }, KeyE: { aside: -1 },
  KeyF: { leftHand: 1 }, KeyG: { rightHand: 1 },
};
const STILL: Lead = { ahead: 0, aside: 0, turn: 0, leftHand: 0, rightHand: 0 };
/** Sticks at rest are not quite at 0. */
const DEAD = 0.15;
/** Which button of a standard gamepad makes which gesture: A, B, X, Y, right bumper. */
const BUTTONS: readonly [button: number, gesture: Gesture][] = [
  [0, "offer hand"], [1, "wave"], [2, "high five"], [3, "bow"], [5, "open arms"],
];

export class Leads {
  readonly #held = new Set<string>();
  readonly #pressed = new Set<number>();

  /** Listens to keys while `element` has the focus; digits make gestures. */
  constructor(element: HTMLElement, private readonly gesture: (gesture: Gesture) => void) {
    element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const made = /^Digit([1-9])$/.exec(event.code);
      const named = made ? GESTURES[Number(made[1]) - 1] : undefined;
      if (named) this.gesture(named);
      if (!(event.code in KEYS)) return;
      this.#held.add(event.code);
      event.preventDefault();
    });
    element.addEventListener("keyup", (event) => this.#held.delete(event.code));
    element.addEventListener("blur", () => {
      this.#held.clear();
    });
  }

  now(): Lead {
    const lead = { ...STILL };
    for (const code of this.#held) {
      for (const [way, value] of Object.entries(KEYS[code]!)) lead[way as keyof Lead] += value;
    }
    const pad = navigator.getGamepads().find((found) => found?.mapping === "standard");
    if (pad) this.#readPad(pad, lead);
    for (const way of Object.keys(lead) as (keyof Lead)[]) {
      lead[way] = Math.min(Math.max(lead[way], -1), 1);
    }
    return lead;
  }

  #readPad(pad: Gamepad, lead: { -readonly [way in keyof Lead]: Lead[way] }): void {
    const stick = (axis: number) => {
      const value = pad.axes[axis] ?? 0;
      return Math.abs(value) < DEAD ? 0 : value;
    };
    lead.ahead -= stick(1);
    lead.aside -= stick(0);
    lead.turn -= stick(2);
    lead.leftHand += pad.buttons[6]?.value ?? 0;
    lead.rightHand += pad.buttons[7]?.value ?? 0;
    for (const [button, gesture] of BUTTONS) {
      const isDown = pad.buttons[button]?.pressed ?? false;
      if (isDown && !this.#pressed.has(button)) this.gesture(gesture);
      if (isDown) this.#pressed.add(button);
      else this.#pressed.delete(button);
    }
  }
}

type Rumbling = Omit<Gamepad, "vibrationActuator"> & { vibrationActuator?: GamepadHapticActuator | null };

/** A short pulse in every gamepad that can, as some pads and browsers cannot: a touch was felt. */
export function pulse(strength: number): void {
  for (const pad of navigator.getGamepads() as (Rumbling | null)[]) {
    void pad?.vibrationActuator?.playEffect("dual-rumble", {
      duration: 120,
      strongMagnitude: strength,
      weakMagnitude: strength,
    });
  }
}
