// Fingers: what a curl turns in the three joints of a finger. A curl is 0, straight, to 1, closed; ten
// are two hands: the left, then the right, of each thumb, index, middle, ring and little finger.
// Numbers are those of engine/body/fingers.py; hands.json of the tests holds the two together.
// Knows turns; no pose and no scene.

import { IDENTITY, about, length, scaled } from "./quaternions";
import type { Quat, Vec3 } from "./quaternions";

export const CURL_COUNT = 10;

/** Degrees: turns of a left hand's joints from straight to closed, as rotation vectors in the axes of the
 * T pose, from the thumb to the little finger. A right hand's are mirrored. */
const CLOSING: readonly (readonly Vec3[])[] = [
  [[16.5, 9.3, -10.8], [23.3, 33.1, -11.6], [22.9, 49.0, -6.6]],
  [[5.6, 3.6, -84.8], [11.0, 0.0, -104.4], [6.3, 0.0, -59.7]],
  [[0.9, 0.6, -85.0], [1.8, 0.0, -105.0], [1.0, 0.0, -60.0]],
  [[-3.7, -2.4, -84.9], [-7.3, 0.0, -104.7], [-4.2, 0.0, -59.9]],
  [[-8.3, -5.5, -84.6], [-16.4, 0.0, -103.7], [-9.4, 0.0, -59.3]],
];

/** The turn of a joint that closes by a rotation vector in radians. */
export function closed(closing: Vec3, curl: number): Quat {
  const angle = length(closing);
  return angle < 1e-9 ? IDENTITY : about(scaled(closing, 1 / angle), curl * angle);
}

/** How a joint (0 to 2) of a finger (0 to 9) is turned against the one before it, in the axes of the T
 * pose: of an avatar whose fingers are straight at rest. */
export function bent(finger: number, joint: number, curl: number): Quat {
  const [x, y, z] = CLOSING[finger % CLOSING.length]![joint]!;
  const side = finger < CLOSING.length ? 1 : -1;
  return closed(scaled([x, side * y, side * z], Math.PI / 180), curl);
}

/** Curls between two poses; those of `b` where nothing is known of `a`. */
export function mixedCurls(a: Float32Array | undefined, b: Float32Array | undefined, part: number): Float32Array | undefined {
  return a && b ? b.map((curl, at) => a[at]! + part * (curl - a[at]!)) : b;
}
