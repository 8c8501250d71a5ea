// Hands dragged by mouse or touch: the ball under the pointer follows it, and the camera waits.
// Knows the stage and the puppet.

import { Vector3 } from "three";
import { JOINT } from "../body/skeleton";
import type { Handle, Stage } from "../scene/stage";
import type { Puppet } from "./puppet";

/** Joints that can be dragged, and which hand that is. */
export const DRAGGED = [
  { person: "player", joint: JOINT.left_wrist, side: "left" },
  { person: "player", joint: JOINT.right_wrist, side: "right" },
] as const;

/** Lets the pointer drag the hands of whoever `puppet` says is led now; null: nobody. */
export function dragHands(stage: Stage, puppet: () => Puppet | null): void {
  const { canvas } = stage;
  let dragged: (typeof DRAGGED)[number] | null = null;
  let near = new Vector3();

  // Before the camera's listener, which is on the canvas too: it must not turn while a hand moves.
  canvas.parentElement!.addEventListener(
    "pointerdown",
    (event) => {
      if (event.target !== canvas || puppet() === null) return;
      const handle = stage.handleAt(event);
      dragged = DRAGGED.find((hand) => isSame(hand, handle)) ?? null;
      if (dragged === null) return;
      event.stopPropagation();
      canvas.focus();
      canvas.setPointerCapture(event.pointerId);
      near = new Vector3().fromArray(stage.figure("player")!.joints(), 3 * dragged.joint);
    },
    { capture: true },
  );
  canvas.addEventListener("pointermove", (event) => {
    if (dragged === null) return;
    const place = stage.besideAt(event, near);
    if (place) puppet()?.drag(dragged.side, place.toArray());
  });
  for (const ended of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(ended, () => {
      dragged = null;
    });
  }
}

function isSame(a: Handle, b: Handle | null): boolean {
  return b !== null && a.person === b.person && a.joint === b.joint;
}
