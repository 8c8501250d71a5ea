// Unit quaternions x, y, z, w and vectors as plain tuples. Knows no joint and no scene.

export type Quat = readonly [number, number, number, number];
export type Vec3 = readonly [number, number, number];

export const IDENTITY: Quat = [0, 0, 0, 1];

/** Turn by `b`, then by `a`. */
export function product(a: Quat, b: Quat): Quat {
  return [
    a[3] * b[0] + a[0] * b[3] + a[1] * b[2] - a[2] * b[1],
    a[3] * b[1] - a[0] * b[2] + a[1] * b[3] + a[2] * b[0],
    a[3] * b[2] + a[0] * b[1] - a[1] * b[0] + a[2] * b[3],
    a[3] * b[3] - a[0] * b[0] - a[1] * b[1] - a[2] * b[2],
  ];
}

export function conjugate(q: Quat): Quat {
  return [-q[0], -q[1], -q[2], q[3]];
}

export function normalized(q: Quat): Quat {
  const length = Math.hypot(...q);
  return [q[0] / length, q[1] / length, q[2] / length, q[3] / length];
}

export function rotated(q: Quat, v: Vec3): Vec3 {
  const x = 2 * (q[1] * v[2] - q[2] * v[1]);
  const y = 2 * (q[2] * v[0] - q[0] * v[2]);
  const z = 2 * (q[0] * v[1] - q[1] * v[0]);
  return [
    v[0] + q[3] * x + q[1] * z - q[2] * y,
    v[1] + q[3] * y + q[2] * x - q[0] * z,
    v[2] + q[3] * z + q[0] * y - q[1] * x,
  ];
}

/** From `a` (part 0) to `b` (part 1) at an even speed, by the shortest arc: -b is the same turn as b. */
export function slerp(a: Quat, b: Quat, part: number): Quat {
  let cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
  const sign = cosine < 0 ? -1 : 1;
  cosine = Math.min(Math.abs(cosine), 1);
  const angle = Math.acos(cosine);
  const isSmall = angle < 1e-4;
  const first = isSmall ? 1 - part : Math.sin((1 - part) * angle) / Math.sin(angle);
  const second = sign * (isSmall ? part : Math.sin(part * angle) / Math.sin(angle));
  return normalized([
    first * a[0] + second * b[0],
    first * a[1] + second * b[1],
    first * a[2] + second * b[2],
    first * a[3] + second * b[3],
  ]);
}

/** A turn by `angle` radians about a unit axis. */
export function about(axis: Vec3, angle: number): Quat {
  const sine = Math.sin(angle / 2);
  return [axis[0] * sine, axis[1] * sine, axis[2] * sine, Math.cos(angle / 2)];
}

/** The smallest turn that brings the direction of `from` to that of `to`. */
export function between(from: Vec3, to: Vec3): Quat {
  const a = unit(from);
  const b = unit(to);
  const cosine = dot(a, b);
  if (cosine < -0.999999) {
    const side = unit(Math.abs(a[0]) < 0.9 ? cross(a, [1, 0, 0]) : cross(a, [0, 1, 0]));
    return [...side, 0];
  }
  const axis = cross(a, b);
  return normalized([axis[0], axis[1], axis[2], 1 + cosine]);
}

export function plus(a: Vec3, b: Vec3): Vec3 {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

export function minus(a: Vec3, b: Vec3): Vec3 {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

export function scaled(a: Vec3, by: number): Vec3 {
  return [a[0] * by, a[1] * by, a[2] * by];
}

export function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function length(a: Vec3): number {
  return Math.hypot(a[0], a[1], a[2]);
}

/** Raises nothing: a vector of no length points up. */
export function unit(a: Vec3): Vec3 {
  const size = length(a);
  return size < 1e-9 ? [0, 1, 0] : scaled(a, 1 / size);
}

export function quatAt(numbers: ArrayLike<number>, index: number): Quat {
  const at = 4 * index;
  return [numbers[at]!, numbers[at + 1]!, numbers[at + 2]!, numbers[at + 3]!];
}

export function vec3At(numbers: ArrayLike<number>, index: number): Vec3 {
  const at = 3 * index;
  return [numbers[at]!, numbers[at + 1]!, numbers[at + 2]!];
}
