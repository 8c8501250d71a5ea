// From ten frames a second to the display's rate, without a jump.

import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { FrameChunkSchema } from "../src/gen/contrapose/v1/types_pb";
import { JOINT_COUNT } from "../src/body/skeleton";
import { Playback } from "../src/session/playback";
import { PlayoutBuffer } from "../src/session/playout";

const RATE = 10;

/** Frames whose place x is told by their index, and whose root turns about Y by as many radians. */
function chunk(first: number, xs: readonly number[], revision = 0) {
  const frames = xs.map((x) => {
    const rotations = Array.from({ length: JOINT_COUNT }, () => [0, 0, 0, 1]).flat();
    rotations.splice(0, 4, 0, Math.sin(x / 2), 0, Math.cos(x / 2));
    const body = { rootTranslation: [x, 1, 0], rotations };
    return { player: body, partner: body, quality: 1 };
  });
  return create(FrameChunkSchema, { firstFrameIndex: BigInt(first), revision, frames });
}

function begun(xs: readonly number[]): Playback {
  const playout = new PlayoutBuffer(0, RATE);
  playout.accept(chunk(0, xs), -0.1);
  playout.begin(-0.05);
  return new Playback(playout);
}

const count = (n: number, to: (index: number) => number) => Array.from({ length: n }, (_, i) => to(i));

describe("playback", () => {
  it("equals the plan at frame times and lies between two frames in between", () => {
    const playback = begun(count(20, (i) => i / 20));
    for (let step = 0; step < 60; step++) {
      const time = step / 60;
      const shown = playback.at(time)!;
      expect(shown.frame).toBeCloseTo(time * RATE, 6);
      expect(shown.partner.transl[0]).toBeCloseTo(time / 2, 5);
      const angle = 2 * Math.atan2(shown.partner.quats[1]!, shown.partner.quats[3]!);
      expect(angle).toBeCloseTo(time / 2, 5);
    }
  });

  it("holds the last pose when the plan has run out, and comes back without a jump", () => {
    const playback = begun([0, 0, 0]);
    let before = playback.at(0)!.partner.transl[0]!;
    let fastest = 0;
    for (let step = 1; step <= 120; step++) {
      const time = step / 60;
      if (step === 45) playback.playout.accept(chunk(9, count(40, () => 1), 1), time);
      const x = playback.at(time)!.partner.transl[0]!;
      fastest = Math.max(fastest, Math.abs(x - before));
      before = x;
    }
    expect(before).toBeCloseTo(1, 5);
    expect(fastest).toBeLessThan(0.06);
  });

  it("blends a frame that is replaced while the way to it is under way", () => {
    const playback = begun(count(30, () => 0));
    let before = playback.at(0)!.partner.transl[0]!;
    let fastest = 0;
    for (let step = 1; step <= 60; step++) {
      const time = step / 60;
      if (step === 15) playback.playout.accept(chunk(0, count(30, () => 0.3), 1), time);
      const x = playback.at(time)!.partner.transl[0]!;
      fastest = Math.max(fastest, Math.abs(x - before));
      before = x;
    }
    expect(before).toBeCloseTo(0.3, 5);
    expect(fastest).toBeLessThan(0.05);
  });

  it("shows a late frame as late, and tells of every frame once", () => {
    const playout = new PlayoutBuffer(0, RATE);
    playout.accept(chunk(0, [0, 0]), -0.1);
    playout.begin(-0.05);
    const heard: [number, boolean][] = [];
    const playback = new Playback(playout, (frame) => heard.push([frame.index, frame.isLate]));
    playback.at(0.05);
    playback.at(0.35);
    expect(heard).toEqual([[0, false], [1, false], [2, true], [3, true]]);
  });

  it("says nothing before the playout has begun", () => {
    expect(new Playback(new PlayoutBuffer(0, RATE)).at(1)).toBeNull();
  });
});
