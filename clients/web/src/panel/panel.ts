// The controls beside the scene: what is clicked becomes what the app is asked for.
// Knows the page's elements and the app.

import type { App } from "../app";
import { SessionMode } from "../gen/contrapose/v1/interaction_pb";
import type { KnownKind } from "../gen/contrapose/v1/server_info_pb";
import { JOINT, JOINT_NAMES, spoken } from "../body/skeleton";
import { GESTURES } from "../player/puppet";
import type { Gesture } from "../player/puppet";
import type { Handle } from "../scene/stage";
import { RESPOND } from "../session/intent";
import type { Responding } from "../session/intent";
import { element, fillChips, isPressed, onClick, onToggle, say, setPressed } from "./elements";

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

/** A button for each kind that the bundle was trained to do; it says the plainest words for it. */
export function fillKinds(app: App, kinds: readonly KnownKind[]): void {
  const words = new Map(kinds.map(({ name, text }) => [name.replaceAll("_", " "), text]));
  fillChips("kinds", [...words.keys()], (name) => {
    const text = words.get(name)!;
    element("words", HTMLInputElement).value = text;
    sayWords(app, text);
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
