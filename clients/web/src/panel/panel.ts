// The controls beside the scene: what is clicked becomes what the app is asked for.
// Knows the page's elements and the app.

import type { App } from "../app";
import { SessionMode } from "../gen/contrapose/v1/interaction_pb";
import { JOINT, JOINT_NAMES, spoken } from "../body/skeleton";
import { GESTURES } from "../player/puppet";
import type { Gesture } from "../player/puppet";
import type { Handle } from "../scene/stage";
import { RESPOND } from "../session/intent";
import type { Responding } from "../session/intent";
import { element, fillChips, isPressed, onClick, onToggle, say, setPressed } from "./elements";

/** Kinds that the starter knows, and how they are said: what is offered where the server names none. */
const WORDS: Readonly<Record<string, string>> = {
  "shake hands": "two people shake hands",
  "high five": "two people give each other a high five",
  hug: "two people hug each other",
  "pat the shoulder": "one person pats the other on the shoulder",
  dance: "two people dance together",
  push: "one person pushes the other",
  "walk along": "two people walk side by side",
  bow: "two people bow to each other",
  spar: "two people spar",
};
const MOST_EVENTS = 6;
const PLACE_HINT = "Click the floor where the partner is to go";
const TOUCH_HINT = "Click a hand of the partner, then a place on the player";
/** Pixels that a pointer may move and still click. */
const CLICK_PX = 6;

/** Wires the controls that hold for a session; call once. */
export function wirePanel(app: App): void {
  const { wishes } = app;
  element("words-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    sayWords(app, element("words", HTMLInputElement).value);
  });
  onSlider("energy", (value) => value.toFixed(1), (value) => {
    wishes.energy = value;
    app.want(`energy ${value.toFixed(1)}`, { energy: value });
  });
  onSlider("zone", (value) => (value === 0 ? "off" : `${value.toFixed(1)} m`), (value) => {
    wishes.zone = value;
    app.want("personal space", { zoneRadius: value });
  });
  onToggle("pause", (isOn) => {
    wishes.isPaused = isOn;
    say("pause", isOn ? "Go on" : "Pause");
    app.want(isOn ? "pause" : "go on", { mode: isOn ? SessionMode.PAUSED : SessionMode.REACT });
  });
  for (const how of Object.keys(RESPOND) as Responding[]) {
    element(`respond-${how}`, HTMLInputElement).addEventListener("change", () => {
      app.respond(how);
    });
  }
  onClick("confirm", () => {
    app.confirm();
  });
  const joints = element("touch-joint", HTMLSelectElement);
  joints.replaceChildren(...JOINT_NAMES.map((_, joint) => new Option(spoken(joint), String(joint))));
  joints.value = String(JOINT.left_shoulder);
  onClick("touch", () => {
    app.touch(Number(element("touch-hand", HTMLSelectElement).value), Number(joints.value));
  });
  onClick("forget", () => {
    app.forget();
  });
  fillChips("gestures", GESTURES, (word) => app.puppet?.gesture(word as Gesture));
  wirePicking(app);
}

/** Buttons for the kinds that the server names, or for those that the starter knows. */
export function fillKinds(app: App, kinds: readonly string[]): void {
  fillChips("kinds", kinds.length > 0 ? kinds : Object.keys(WORDS), (kind) => {
    const words = WORDS[kind] ?? kind;
    element("words", HTMLInputElement).value = words;
    sayWords(app, words);
  });
}

/** One more line under "Events", the newest first. */
export function tell(text: string): void {
  const list = element("events", HTMLOListElement);
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString([], { hour12: false });
  line.append(time, text);
  list.prepend(line);
  while (list.children.length > MOST_EVENTS) list.lastElementChild!.remove();
}

function sayWords(app: App, text: string): void {
  app.wishes.text = text;
  app.want(text ? `“${text}”` : "no words", { text });
  tell(text ? `words: ${text}` : "no words");
}

function onSlider(id: string, told: (value: number) => string, act: (value: number) => void): void {
  const slider = element(id, HTMLInputElement);
  slider.addEventListener("input", () => {
    say(`${id}-value`, told(slider.valueAsNumber));
  });
  slider.addEventListener("change", () => {
    act(slider.valueAsNumber);
  });
}

// ------------------------------------------------------------------------------ picking in the scene
const PARTNERS: readonly Handle[] = [JOINT.left_wrist, JOINT.right_wrist].map((joint) => ({
  person: "partner",
  joint,
}));
const PLAYERS: readonly Handle[] = JOINT_NAMES.map((_, joint) => ({ person: "player", joint }));

function wirePicking(app: App): void {
  const { canvas } = app.stage;
  let hand: Handle | null = null;
  const show = () => {
    const isPicking = isPressed("pick");
    const shown = isPicking ? (hand ? PLAYERS : PARTNERS) : [];
    app.handles = shown.map((handle) => ({ ...handle, isChosen: false }));
    if (hand) app.handles = [...app.handles, { ...hand, isChosen: true }];
    canvas.dataset.pick = String(isPicking || isPressed("place"));
    say("hint", isPicking ? TOUCH_HINT : isPressed("place") ? PLACE_HINT : "");
  };
  const stop = () => {
    hand = null;
    setPressed("pick", false);
    setPressed("place", false);
    show();
  };
  for (const [id, other] of [["pick", "place"], ["place", "pick"]] as const) {
    onToggle(id, () => {
      setPressed(other, false);
      hand = null;
      show();
    });
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
  });

  let pressed = { clientX: 0, clientY: 0 };
  canvas.addEventListener("pointerdown", (event) => (pressed = event));
  canvas.addEventListener("pointerup", (event) => {
    const moved = Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY);
    if (moved > CLICK_PX) return;
    if (isPressed("place")) {
      const place = app.stage.floorAt(event);
      if (place) app.goTo(place.x, place.z);
      stop();
    } else if (isPressed("pick")) {
      const handle = app.stage.handleAt(event);
      if (handle?.person === "partner") hand = handle;
      else if (handle && hand) {
        app.touch(hand.joint, handle.joint);
        stop();
      }
      show();
    }
  });
}
