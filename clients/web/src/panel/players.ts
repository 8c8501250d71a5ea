// Who plays: the choice of a player, files that are opened or dropped, the headset, and recordings to
// be saved. Knows the page's elements and the app.

import type { App } from "../app";
import { readDropped } from "../formats/dropped";
import { writeNpz } from "../formats/npz";
import type { Motion } from "../motion/motion";
import { Headset } from "../player/headset";
import { Puppet } from "../player/puppet";
import { Recording } from "../player/recording";
import { canEnter, enter, leave } from "../scene/immersive";
import { element, onClick, onToggle, say, setPressed } from "./elements";
import { tell } from "./panel";

/** Metres that a person may be tall, by the contract. */
const [LEAST_HEIGHT, MOST_HEIGHT] = [1, 2.3];
type Choice = "recording" | "you";

export class Players {
  /** Metres: the player who is led or wears a headset. */
  #height = element("height", HTMLInputElement).valueAsNumber;

  constructor(
    private readonly app: App,
    private motion: Motion,
  ) {
    element("height", HTMLInputElement).addEventListener("change", () => {
      this.#measure();
    });
    for (const choice of ["recording", "you"] as const) {
      this.#radio(choice).addEventListener("change", () => {
        this.choose(choice);
      });
    }
    this.#wireFiles();
    onToggle("record", (isOn) => {
      if (isOn) app.record();
      else this.#save();
      say("record-label", isOn ? "Save" : "Record");
    });
  }

  choose(choice: Choice): void {
    this.#radio(choice).checked = true;
    element("you", HTMLElement).hidden = choice !== "you";
    element("recording", HTMLElement).hidden = choice !== "recording";
    element("tall", HTMLElement).hidden = choice !== "you" && element("headset", HTMLButtonElement).hidden;
    say("file-name", this.motion.name.replace(/\.\w+$/, "").replaceAll("_", " "));
    say("player-name", choice === "you" ? "you" : "player");
    this.#stopRecording();
    this.app.play(choice === "you" ? new Puppet(this.app.rest, this.#height) : new Recording(this.motion));
  }

  /** Offers the headset, if there is one. */
  async offerHeadset(): Promise<void> {
    const { renderer } = this.app.stage;
    if (!(await canEnter())) return;
    element("headset", HTMLButtonElement).hidden = element("tall", HTMLElement).hidden = false;
    onClick("headset", () => {
      if (renderer.xr.isPresenting) void leave(renderer);
      else void this.#enterHeadset().catch(told);
    });
  }

  async #enterHeadset(): Promise<void> {
    const { app } = this;
    await enter(app.stage.renderer, () => {
      say("headset", "Enter VR");
      app.stage.setSeen("player", true);
      app.stage.resize();
      this.choose("recording");
    });
    say("headset", "Leave VR");
    // Who wears the headset would see the own body from within.
    app.stage.setSeen("player", false);
    this.#stopRecording();
    app.play(new Headset(this.#height));
  }

  /** Takes the height that was given, as far as people are so tall; who it is of begins anew. */
  #measure(): void {
    const field = element("height", HTMLInputElement);
    const given = field.valueAsNumber;
    if (Number.isFinite(given)) this.#height = Math.min(Math.max(given, LEAST_HEIGHT), MOST_HEIGHT);
    field.value = this.#height.toFixed(2);
    if (this.app.puppet) this.choose("you");
    else if (this.app.source instanceof Headset) this.app.play(new Headset(this.#height));
  }

  #radio(choice: Choice): HTMLInputElement {
    return element(`source-${choice}`, HTMLInputElement);
  }

  // ------------------------------------------------------------------------------------------ files
  #wireFiles(): void {
    const picker = element("file", HTMLInputElement);
    const drop = element("drop", HTMLElement);
    onClick("open", () => {
      picker.click();
    });
    picker.addEventListener("change", () => {
      void this.#take(picker.files?.[0]);
      picker.value = "";
    });
    addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.hidden = false;
    });
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) drop.hidden = true;
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      drop.hidden = true;
      void this.#take(event.dataTransfer?.files[0]);
    });
  }

  async #take(file: File | undefined): Promise<void> {
    if (!file) return;
    try {
      const dropped = await readDropped(file, this.app.rest);
      tell(`opened ${file.name}`);
      if (dropped.kind === "figure") {
        this.app.stage.setFigure("partner", dropped.figure);
        return;
      }
      this.motion = dropped.motion;
      this.choose("recording");
    } catch (error) {
      told(error);
    }
  }

  // -------------------------------------------------------------------------------------- recordings
  #save(): void {
    const motion = this.app.recorded();
    if (motion === null) {
      tell("nothing was recorded");
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([writeNpz(motion).slice()]));
    link.download = `${motion.name}.npz`;
    link.click();
    URL.revokeObjectURL(link.href);
    tell(`saved ${motion.name}.npz, ${motion.people[0]!.frames.length} frames`);
  }

  /** A new session begins: what was recorded of the one before is saved first. */
  #stopRecording(): void {
    if (this.app.recorder === null) return;
    this.#save();
    setPressed("record", false);
    say("record-label", "Record");
  }
}

function told(error: unknown): void {
  tell(error instanceof Error ? error.message : String(error));
}
