// Files in and out.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { jointsOf } from "../src/body/pose";
import { readBvh } from "../src/formats/bvh";
import { readNpz, writeNpz } from "../src/formats/npz";
import { zip } from "../src/formats/zip";
import { poseAt } from "../src/motion/motion";

const ROOT = join(import.meta.dirname, "../../..");
const bytesOf = (path: string) => new Uint8Array(readFileSync(join(ROOT, path)));

describe("npz", () => {
  it("reads the player that is shipped", async () => {
    const motion = await readNpz("demo_player.npz", bytesOf("engine/data/demo_player.npz"));
    expect(motion.frameRate).toBe(10);
    expect(motion.people.length).toBe(1);
    expect(motion.people[0]!.frames.length).toBe(180);
    expect(motion.people[0]!.rest.length).toBe(66);
    for (const frame of motion.people[0]!.frames) {
      expect(Math.hypot(...frame.quats.slice(0, 4))).toBeCloseTo(1, 4);
    }
  });

  it("reads what it writes", async () => {
    const motion = await readNpz("a.npz", bytesOf("tests/data/wave.npz"));
    const again = await readNpz("b.npz", writeNpz(motion));
    expect({ ...again, name: "a.npz" }).toEqual(motion);
  });

  it("refuses what is no motion in one line that says what to do", async () => {
    await expect(readNpz("a.txt", new Uint8Array(40))).rejects.toThrow("a.txt: is no npz file");
    const other = zip(new Map([["poses.npy", npyOf("<f4", "(1, 1)")]]));
    await expect(readNpz("amass.npz", other)).rejects.toThrow("contrapose convert amass.npz");
    const whole = bytesOf("tests/data/wave.npz");
    await expect(readNpz("cut.npz", whole.slice(0, 900))).rejects.toThrow("cut.npz: ");
  });
});

function npyOf(descr: string, shape: string): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`;
  return Uint8Array.of(
    0x93, ...Buffer.from("NUMPY"), 1, 0, text.length, 0, ...Buffer.from(text), 0, 0, 0, 0,
  );
}

describe("a motion", () => {
  it("is played there and back for ever", async () => {
    const motion = await readNpz("a.npz", bytesOf("tests/data/wave.npz"));
    const person = motion.people[0]!;
    const last = person.frames.length - 1;
    const end = last / motion.frameRate;
    expect(poseAt(motion, person, end).transl[2]).toBeCloseTo(person.frames[last]!.transl[2]!, 5);
    for (const time of [0.21, 0.5]) {
      const there = poseAt(motion, person, time).transl;
      expect(poseAt(motion, person, 2 * end - time).transl[2]).toBeCloseTo(there[2]!, 5);
      expect(poseAt(motion, person, 2 * end + time).transl[2]).toBeCloseTo(there[2]!, 5);
    }
  });
});


describe("bvh", () => {
  it("turns joints of other names and another rest pose as the same motion of ours does", async () => {
    const own = await readNpz("a.npz", bytesOf("tests/data/wave.npz"));
    const { rest } = own.people[0]!;
    const text = new TextDecoder().decode(bytesOf("tests/data/wave_mixamo.bvh"));
    const motion = readBvh("wave_mixamo.bvh", text, rest);
    const there = jointsOf(poseAt(own, own.people[0]!, 0.7), rest).places;
    const made = jointsOf(poseAt(motion, motion.people[0]!, 0.7), rest).places;
    const off = there.map((place, joint) =>
      Math.hypot(...place.map((v, axis) => v - there[0]![axis]! - made[joint]![axis]! + made[0]![axis]!)),
    );
    expect(Math.max(...off)).toBeLessThan(0.06);
  });

  it("refuses what is none, and joints that it cannot name", () => {
    const rest = new Float32Array(66);
    expect(() => readBvh("a.bvh", "hello", rest)).toThrow("a.bvh: is no BVH file");
    const odd = "HIERARCHY ROOT thing { OFFSET 0 0 0 CHANNELS 3 Zrotation Xrotation Yrotation } MOTION Frames: 1 Frame Time: 0.1 0 0 0";
    expect(() => readBvh("odd.bvh", odd, rest)).toThrow("--rig");
    expect(() => readBvh("cut.bvh", odd.replace(/ 0$/, ""), rest)).toThrow("cut off");
  });
});
