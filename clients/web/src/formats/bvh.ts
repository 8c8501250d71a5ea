// BVH: one person's motion of any humanoid. Knows the text; names are `retarget.ts`'s business.

import { IDENTITY, about, plus, product, rotated } from "../body/quaternions";
import type { Quat, Vec3 } from "../body/quaternions";
import type { RestOffsets } from "../body/skeleton";
import type { Motion } from "../motion/motion";
import { FileError } from "./errors";
import { retargeted } from "./retarget";
import type { RigFrame, RigNode } from "./retarget";

interface BvhNode {
  readonly name: string;
  readonly parent: number;
  readonly offset: Vec3;
  readonly channels: readonly string[];
  readonly first: number;
}

const AXES: Readonly<Record<string, Vec3>> = { X: [1, 0, 0], Y: [0, 1, 0], Z: [0, 0, 1] };
const MOST_FRAMES = 20_000;

/** Throws FileError that says what is wrong. */
export function readBvh(file: string, text: string, rest: RestOffsets): Motion {
  const words = text.split(/\s+/).filter(Boolean);
  const begin = words.indexOf("MOTION");
  if (words[0] !== "HIERARCHY" || begin < 0) throw new FileError(file, "is no BVH file (no HIERARCHY, no MOTION)");
  const nodes = hierarchy(words.slice(0, begin));
  const count = Number(words[begin + 2]);
  const frameTime = Number(words[begin + 5]);
  const width = nodes.reduce((sum, node) => sum + node.channels.length, 0);
  const values = words.slice(begin + 6, begin + 6 + count * width).map(Number);
  if (!(frameTime > 0) || !(count > 0) || values.length < count * width || !values.every(Number.isFinite)) {
    throw new FileError(file, `is cut off or damaged: expected ${count} frames of ${width} finite numbers`);
  }
  if (count > MOST_FRAMES) throw new FileError(file, `has ${count} frames, ${MOST_FRAMES} is the most; cut it`);
  const frames = Array.from({ length: count }, (_, frame) =>
    posed(nodes, values.slice(frame * width, (frame + 1) * width)),
  );
  const still = posed(nodes, Array<number>(width).fill(0));
  const rig: RigNode[] = nodes.map((node, index) => ({
    name: node.name,
    restPlace: still.place(index),
    restTurn: still.turn(index),
  }));
  return { name: file, frameRate: 1 / frameTime, people: [retargeted(file, rig, frames, rest)] };
}

function hierarchy(words: readonly string[]): BvhNode[] {
  const nodes: BvhNode[] = [];
  const open: number[] = [];
  let isEnd = false;
  let channels = 0;
  let node: { name: string; offset: Vec3 } = { name: "", offset: [0, 0, 0] };
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "ROOT" || word === "JOINT") node = { name: words[at + 1]!, offset: [0, 0, 0] };
    else if (word === "End") isEnd = true;
    else if (word === "OFFSET" && !isEnd) node.offset = [1, 2, 3].map((i) => Number(words[at + i])) as unknown as Vec3;
    else if (word === "CHANNELS") {
      const count = Number(words[at + 1]);
      const names = words.slice(at + 2, at + 2 + count);
      nodes.push({ ...node, parent: open.at(-1) ?? -1, channels: names, first: channels });
      open.push(nodes.length - 1);
      channels += count;
    } else if (word === "}") {
      if (isEnd) isEnd = false;
      else open.pop();
    }
  }
  return nodes;
}

/** Turns and places in the world of one row of numbers: degrees, and the file's unit of length. */
function posed(nodes: readonly BvhNode[], row: readonly number[]): RigFrame {
  const turns: Quat[] = [];
  const places: Vec3[] = [];
  for (const { parent, offset, channels, first } of nodes) {
    let turn: Quat = IDENTITY;
    const moved: number[] = [...offset];
    channels.forEach((channel, index) => {
      const value = row[first + index]!;
      const axis = channel[0]!.toUpperCase();
      if (channel.endsWith("position")) moved["XYZ".indexOf(axis)] = value;
      else turn = product(turn, about(AXES[axis]!, (value * Math.PI) / 180));
    });
    const local = moved as unknown as Vec3;
    turns.push(parent < 0 ? turn : product(turns[parent]!, turn));
    places.push(parent < 0 ? local : plus(places[parent]!, rotated(turns[parent]!, local)));
  }
  return { turn: (node) => turns[node]!, place: (node) => places[node]! };
}
