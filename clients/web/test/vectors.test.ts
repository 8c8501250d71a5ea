// The clock, the playout and the kinematics say what Python's say: vectors.json is written by
// `python -m tests.data.make_web_vectors`.

import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import hands from "../../../tests/data/hands.json";
import vectors from "./vectors.json";
import { bent, closed } from "../src/body/fingers";
import { FrameChunkSchema } from "../src/gen/contrapose/v1/types_pb";
import { corrected, correction, differ, jointsOf, mixed, standing } from "../src/body/pose";
import { product, rotated, slerp } from "../src/body/quaternions";
import type { Quat, Vec3 } from "../src/body/quaternions";
import { JOINT_NAMES, PARENTS, offsetsOf, restJointsOf } from "../src/body/skeleton";
import { ClockSync } from "../src/session/clock";
import { PlayoutBuffer } from "../src/session/playout";

function expectNear(actual: Iterable<number>, expected: readonly number[], within: number): void {
  const numbers = [...actual];
  expect(numbers.length).toBe(expected.length);
  const off = Math.max(...numbers.map((value, index) => Math.abs(value - expected[index]!)));
  expect(off).toBeLessThan(within);
}

/** Largest distance of a vector's end, turned by both: q and -q are the same turn. */
function turnOff(a: Quat, b: Quat): number {
  const sides = [[1, 0, 0], [0, 1, 0]] as const;
  return Math.max(
    ...sides.map((side) => {
      const [first, second] = [rotated(a, side), rotated(b, side)];
      return Math.hypot(...first.map((value, axis) => value - second[axis]!));
    }),
  );
}

describe("clock", () => {
  it("tells the offset that Python tells, sample after sample", () => {
    const clock = new ClockSync();
    clock.begin(5);
    for (const step of vectors.clock) {
      if (step.do === "carry_on") clock.carryOn();
      else clock.add(step.sent!, step.received!, step.session_time!);
      expect(clock.offset).toBeCloseTo(step.offset, 9);
    }
  });

  it("begins with the first pose", () => {
    const clock = new ClockSync();
    expect(() => clock.offset).toThrow("first pose");
    clock.begin(100);
    expect(clock.sessionTime(100.5)).toBe(0.5);
    expect(clock.isTold).toBe(false);
  });
});

describe("playout", () => {
  it.each(vectors.playouts.map((playout, seed) => ({ seed, playout })))(
    "shows what Python shows, seed $seed",
    ({ playout }) => {
      const buffer = new PlayoutBuffer(playout.delay, playout.rate);
      for (const step of playout.steps) {
        if (step.do === "accept") {
          const bytes = Uint8Array.from(atob(step.chunk!), (letter) => letter.charCodeAt(0));
          buffer.accept(fromBinary(FrameChunkSchema, bytes), step.time!);
        } else if (step.do === "begin") buffer.begin(step.time!);
        else if (step.do === "ease") buffer.easeIn();
        else {
          const peeked = buffer.peek();
          const frame = buffer.show();
          expect(frame === null).toBe(step.frame === null);
          if (!frame || !step.frame) continue;
          const { index, quality, revision, isLate } = frame;
          const { is_late, transl, spine1, curls, ...told } = step.frame;
          expect({ index, quality, revision }).toEqual(told);
          expect(isLate).toBe(is_late);
          expectNear(frame.partner.transl, transl, 2e-6);
          expectNear(frame.partner.quats.slice(12, 16), spine1, 2e-6);
          expectNear(frame.partner.curls!, curls, 2e-6);
          if (peeked && !isLate) expect(peeked.partner).toEqual(frame.partner);
        }
      }
      expect(buffer.lateFrames).toBe(playout.late);
      expect(buffer.overwritten).toBe(playout.overwritten);
    },
  );
});

describe("bodies", () => {
  const { kinematics } = vectors;
  const rest = Float32Array.from(kinematics.rest_offsets);

  it("have the joints of the engine, in its order", () => {
    expect(JOINT_NAMES).toEqual(kinematics.joint_names);
    expect(PARENTS).toEqual(kinematics.parents);
  });

  it("stand on joints where the engine's do", () => {
    for (const pose of kinematics.poses) {
      const made = { quats: Float32Array.from(pose.quats), transl: Float32Array.from(pose.transl) };
      expectNear(jointsOf(made, rest).places.flat(), pose.places, 1e-5);
    }
  });

  it("rest where the engine's rest", () => {
    expectNear(restJointsOf(rest), kinematics.rest_joints, 1e-5);
    expectNear(offsetsOf(kinematics.rest_joints), kinematics.rest_offsets, 1e-5);
  });

  it("stand at ease as the Python client's do", () => {
    const pose = standing(rest, 0.4, -0.3, 0.7);
    expectNear(pose.quats, kinematics.standing.quats, 1e-5);
    expectNear(pose.transl, kinematics.standing.transl, 1e-5);
  });

  it("turn between two turns by the shortest arc, as the engine's do", () => {
    for (const { first, second, part, between } of vectors.slerps) {
      const made = slerp(first as unknown as Quat, second as unknown as Quat, part);
      expect(turnOff(made, between as unknown as Quat)).toBeLessThan(1e-5);
    }
  });
});

describe("fingers", () => {
  it("of an avatar turn as the engine's, by five numbers a hand", () => {
    for (const { curls, avatar } of hands.cases) {
      hands.joints.forEach((name, index) => {
        const curl = hands.curl_of_joint[index]!;
        expect(name.slice(0, -1)).toBe(hands.curls[curl]);
        const made = bent(curl, Number(name.at(-1)) - 1, curls[curl]!);
        expect(turnOff(made, avatar[index] as unknown as Quat)).toBeLessThan(1e-5);
      });
    }
  });

  it("of the open body do too, from what its file says of them", () => {
    const { closing, straight } = hands.open_body;
    for (const { curls, open_body } of hands.cases) {
      open_body.forEach((expected, index) => {
        const turn = closed(closing[index] as unknown as Vec3, curls[hands.curl_of_joint[index]!]!);
        const made = product(turn, straight[index] as unknown as Quat);
        expect(turnOff(made, expected as unknown as Quat)).toBeLessThan(1e-5);
      });
    }
  });

  it("are between two poses on a straight line, and unknown where nothing is known", () => {
    const rest = Float32Array.from(vectors.kinematics.rest_offsets);
    const pose = standing(rest);
    const [open, fist] = [0, 1].map((curl) => ({ ...pose, curls: new Float32Array(10).fill(curl) }));
    expect([...mixed(open!, fist!, 0.25).curls!]).toEqual(Array(10).fill(0.25));
    expect(mixed(pose, fist!, 0.25).curls).toEqual(fist!.curls);
    expect(mixed(open!, pose, 0.25).curls).toBeUndefined();
    const change = correction(open!, fist!);
    expect([...corrected(open!, change, 0.5).curls!]).toEqual(Array(10).fill(0.5));
    expect(differ(open!, fist!)).toBe(true);
    expect(differ(fist!, fist!)).toBe(false);
  });
});
