// How a hand is turned: by where its fingers and its palm point. In the T pose the fingers point
// along the arm (the left one's to +X) and the palm down.

import { cross, dot, minus, normalized, scaled, unit } from "../body/quaternions";
import type { Quat, Vec3 } from "../body/quaternions";

export type Side = "left" | "right";

/** The turn of a wrist whose fingers point to `fingers` and whose palm faces `palm`, as nearly as
 * that is square to the fingers. */
export function handTurn(side: Side, fingers: Vec3, palm: Vec3): Quat {
  const along = unit(fingers);
  const face = unit(minus(palm, scaled(along, dot(palm, along))));
  // The T pose's axes in the hand: X along or against the fingers, -Y the palm.
  const x = scaled(along, side === "left" ? 1 : -1);
  const y = scaled(face, -1);
  return fromAxes(x, y, cross(x, y));
}

/** The turn that brings X, Y and Z to three axes that are square to each other. */
function fromAxes(x: Vec3, y: Vec3, z: Vec3): Quat {
  const trace = x[0] + y[1] + z[2];
  if (trace > 0) return normalized([y[2] - z[1], z[0] - x[2], x[1] - y[0], 1 + trace]);
  if (x[0] > y[1] && x[0] > z[2]) {
    return normalized([1 + x[0] - y[1] - z[2], y[0] + x[1], z[0] + x[2], y[2] - z[1]]);
  }
  if (y[1] > z[2]) {
    return normalized([y[0] + x[1], 1 + y[1] - x[0] - z[2], z[1] + y[2], z[0] - x[2]]);
  }
  return normalized([z[0] + x[2], z[1] + y[2], 1 + z[2] - x[0] - y[1], x[1] - y[0]]);
}
