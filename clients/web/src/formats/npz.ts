// Motion in our npz files: "contrapose-motion", version 1 (docs/formats.md, engine/formats/npz.py).
// Knows arrays of NumPy; no file picker and no scene.

import { CURL_COUNT } from "../body/fingers";
import type { Motion, Person } from "../motion/motion";
import { JOINT_COUNT, JOINT_NAMES, PARENTS, offsetsOf, restJointsOf } from "../body/skeleton";
import { FileError } from "./errors";
import { joined, unzip, zip } from "./zip";

const FORMAT = "contrapose-motion";
const VERSION = 1;

export interface NpyArray {
  readonly shape: readonly number[];
  readonly values: readonly number[] | Float32Array | Float64Array | readonly string[];
}

/** A motion of one or more people. Throws FileError that names the file and the array. */
export async function readNpz(file: string, bytes: Uint8Array): Promise<Motion> {
  const members = await unzip(file, bytes);
  const arrays = new Map<string, NpyArray>();
  for (const [name, data] of members) arrays.set(name.replace(/\.npy$/, ""), readNpy(file, name, data));
  if (!arrays.has("quats_xyzw")) {
    throw new FileError(
      file,
      `holds ${[...arrays.keys()].join(", ") || "nothing"}, expected a motion of Contrapose; ` +
        `convert it first: contrapose convert ${file} -o motion.npz`,
    );
  }
  const version = arrays.get("version")?.values[0] ?? VERSION;
  if (Number(version) !== VERSION) {
    throw new FileError(file, `version is ${version}, this page reads ${VERSION}; update it`);
  }
  const numbers = (name: string, ...shape: (number | null)[]) => numbersOf(file, arrays, name, shape);
  const quats = numbers("quats_xyzw", null, null, JOINT_COUNT, 4);
  const [people = 0, frames = 0] = quats.shape;
  if (people === 0 || frames === 0) throw new FileError(file, "quats_xyzw holds no frame");
  const transl = numbers("transl", people, frames, 3).values;
  const betas = numbers("betas", people, 10).values;
  const restJoints = numbers("rest_joints", people, JOINT_COUNT, 3).values;
  const curls = arrays.has("curls") ? numbers("curls", people, frames, CURL_COUNT).values : undefined;
  if (curls?.some((curl) => curl < 0 || curl > 1)) {
    throw new FileError(file, "curls has a number outside 0 to 1, straight to closed; convert the file again");
  }
  const rate = Number(arrays.get("frame_rate")?.values[0]);
  if (!(rate > 0)) throw new FileError(file, "frame_rate is missing or not above 0");
  const persons: Person[] = [];
  for (let person = 0; person < people; person++) {
    persons.push({
      frames: Array.from({ length: frames }, (_, frame) => {
        const at = person * frames + frame;
        return {
          quats: quats.values.slice(88 * at, 88 * at + 88),
          transl: transl.slice(3 * at, 3 * at + 3),
          curls: curls?.slice(CURL_COUNT * at, CURL_COUNT * (at + 1)),
        };
      }),
      betas: [...betas.slice(10 * person, 10 * person + 10)],
      rest: offsetsOf(restJoints.slice(66 * person, 66 * person + 66)),
    });
  }
  return { name: file, frameRate: rate, people: persons };
}

function numbersOf(
  file: string,
  arrays: ReadonlyMap<string, NpyArray>,
  name: string,
  shape: readonly (number | null)[],
): { shape: readonly number[]; values: Float32Array } {
  const array = arrays.get(name);
  if (!array) throw new FileError(file, `${name} is missing; convert the file again`);
  const fits =
    array.shape.length === shape.length &&
    shape.every((size, axis) => size === null || size === array.shape[axis]);
  const values = Float32Array.from(array.values, Number);
  if (!fits || !values.every(Number.isFinite)) {
    const expected = shape.map((size) => size ?? "n").join(", ");
    throw new FileError(
      file,
      `${name} is (${array.shape.join(", ")}), expected finite numbers of shape (${expected})`,
    );
  }
  return { shape: array.shape, values };
}

/** Our format, with the people's frames at 10 a second or whatever the rate is. */
export function writeNpz(motion: Motion): Uint8Array {
  const count = motion.people.length;
  const frames = motion.people[0]?.frames.length ?? 0;
  const flat = (part: (person: Person) => Iterable<number>) =>
    Float32Array.from(motion.people.flatMap((person) => [...part(person)]));
  const poses = (part: "quats" | "transl") =>
    flat((person) => person.frames.flatMap((frame) => [...frame[part]]));
  const members = new Map([
    ["format.npy", npyText([], [FORMAT])],
    ["version.npy", npyWhole([], [VERSION])],
    ["joint_names.npy", npyText([JOINT_COUNT], JOINT_NAMES)],
    ["parents.npy", npyWhole([JOINT_COUNT], PARENTS)],
    ["body.npy", npyText([], ["contrapose"])],
    ["quats_xyzw.npy", npyFloats([count, frames, JOINT_COUNT, 4], poses("quats"))],
    ["transl.npy", npyFloats([count, frames, 3], poses("transl"))],
    ["betas.npy", npyFloats([count, 10], flat((person) => person.betas))],
    ["rest_joints.npy", npyFloats([count, JOINT_COUNT, 3], flat((person) => restJointsOf(person.rest)))],
    ["frame_rate.npy", npy("<f8", [], new Uint8Array(Float64Array.of(motion.frameRate).buffer))],
  ]);
  const hands = motion.people.flatMap((person) => person.frames.map(({ curls }) => curls));
  if (hands.every((curls) => curls !== undefined)) {
    const curls = Float32Array.from(hands.flatMap((hand) => [...hand]));
    members.set("curls.npy", npyFloats([count, frames, CURL_COUNT], curls));
  }
  return zip(members);
}

// ------------------------------------------------------------------------------------ NumPy arrays
const HEADER = /'descr':\s*'([<|=>]?)([fiubU])(\d+)'.*'fortran_order':\s*(True|False).*'shape':\s*\(([^)]*)\)/;

export function readNpy(file: string, name: string, bytes: Uint8Array): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLong = bytes[6] !== 1;
  const size = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  const begin = (isLong ? 12 : 10) + size;
  const found = HEADER.exec(new TextDecoder().decode(bytes.subarray(isLong ? 12 : 10, begin)));
  if (!found || found[1] === ">" || found[4] === "True") {
    throw new FileError(file, `${name} is no array that this page can read; convert the file again`);
  }
  const [, , kind = "", width = "", , sizes = ""] = found;
  const shape = sizes.split(",").map((part) => part.trim()).filter(Boolean).map(Number);
  const count = shape.reduce((product, axis) => product * axis, 1);
  const step = Number(width) * (kind === "U" ? 4 : 1);
  const value = READERS[`${kind}${kind === "U" ? "" : width}`];
  if (!value || begin + count * step > bytes.length) {
    throw new FileError(file, `${name} is cut off or of a kind that this page cannot read`);
  }
  const values = Array.from({ length: count }, (_, at) => value(view, begin + at * step, step));
  return { shape, values: values as number[] };
}

type Reader = (view: DataView, at: number, size: number) => number | string;
const READERS: Readonly<Partial<Record<string, Reader>>> = {
  f4: (view, at) => view.getFloat32(at, true),
  f8: (view, at) => view.getFloat64(at, true),
  i8: (view, at) => Number(view.getBigInt64(at, true)),
  i4: (view, at) => view.getInt32(at, true),
  u8: (view, at) => Number(view.getBigUint64(at, true)),
  u1: (view, at) => view.getUint8(at),
  b1: (view, at) => view.getUint8(at),
  U: (view, at, size) => {
    let text = "";
    for (let place = at; place < at + size; place += 4) {
      const code = view.getUint32(place, true);
      if (code) text += String.fromCodePoint(code);
    }
    return text;
  },
};

function npy(descr: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]!},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const padded = text.padEnd(64 * Math.ceil((text.length + 11) / 64) - 11) + "\n";
  const head = Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, padded.length, 0);
  return joined([head, new TextEncoder().encode(padded), data]);
}

function npyFloats(shape: readonly number[], values: Float32Array): Uint8Array {
  return npy("<f4", shape, new Uint8Array(values.buffer));
}

function npyWhole(shape: readonly number[], values: readonly number[]): Uint8Array {
  return npy("<i8", shape, new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer));
}

function npyText(shape: readonly number[], values: readonly string[]): Uint8Array {
  const width = Math.max(...values.map((text) => text.length));
  const codes = new Uint32Array(width * values.length);
  values.forEach((text, row) => {
    codes.set(Array.from(text, (letter) => letter.codePointAt(0)!), row * width);
  });
  return npy(`<U${width}`, shape, new Uint8Array(codes.buffer));
}
