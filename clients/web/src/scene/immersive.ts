// Entering and leaving a headset. Knows WebXR's sessions and the renderer; not who plays.

import type { WebGLRenderer } from "three";

/** Whether this browser has a headset to enter. */
export async function canEnter(): Promise<boolean> {
  return (await navigator.xr?.isSessionSupported("immersive-vr").catch(() => false)) ?? false;
}

/** Enters; resolves when the headset shows the scene. `left` is called when the player leaves. */
export async function enter(renderer: WebGLRenderer, left: () => void): Promise<void> {
  const session = await navigator.xr!.requestSession("immersive-vr", { requiredFeatures: ["local-floor"] });
  session.addEventListener("end", left);
  await renderer.xr.setSession(session);
}

export async function leave(renderer: WebGLRenderer): Promise<void> {
  await renderer.xr.getSession()?.end();
}
