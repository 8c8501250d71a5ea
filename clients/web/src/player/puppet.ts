// A player led by mouse, touch, keys or gamepad: a head and two hands that the server makes a whole
// body of. Knows trackers and gestures; neither the scene nor which device leads.

import { about, length, minus, plus, product, rotated, scaled, unit, vec3At } from "../body/quaternions";
import type { Quat, Vec3 } from "../body/quaternions";
import { jointsOf, standing } from "../body/pose";
import type { Pose } from "../body/pose";
import { JOINT } from "../body/skeleton";
import type { RestOffsets } from "../body/skeleton";
import { DeviceAxes, TrackerRole } from "../gen/contrapose/v1/types_pb";
import type { Header, PlayerInput } from "../session/interaction";
import { withLed } from "./arms";
import type { Led } from "./arms";
import { handTurn } from "./hand_turn";
import type { Side } from "./hand_turn";
import type { PlayerSource } from "./source";

export const GESTURES = ["offer hand", "high five", "wave", "open arms", "bow"] as const;
export type Gesture = (typeof GESTURES)[number];

/** What leads the puppet now: each -1 to 1, hands 0 to 1. */
export interface Lead {
  readonly ahead: number;
  readonly aside: number;
  readonly turn: number;
  readonly leftHand: number;
  readonly rightHand: number;
}

const WALK_SPEED = 0.9;
const TURN_SPEED = 1.6;
/** Seconds in which speeds and hands follow. */
const LAG_S = 0.18;
const HAND_LAG_S = 0.14;
/** Seconds that a gesture lasts, and in which it fades in and out. */
const GESTURE_S = 3.2;
const FADE_S = 0.7;
/** Metres that a person sways who stands still; without it devices would seem to be frozen. */
const SWAY = 0.004;
/** Part of the arm's length that a hand may be from its shoulder. */
const REACH = 0.97;

/** What of a body decides where devices are that are worn on it. */
interface Build {
  readonly rest: RestOffsets;
  /** Joints of one who stands over the origin and faces +Z. */
  readonly head: Vec3;
  readonly shoulders: Record<Side, Vec3>;
  readonly hanging: Record<Side, Vec3>;
  readonly armLength: number;
}

interface Hand {
  /** In the puppet's own axes: x to the left, z ahead, over the floor. */
  place: Vec3;
  wanted: Vec3;
}

export class Puppet implements PlayerSource {
  readonly name = "you";
  readonly header: Header;
  #build: Build;
  readonly #hands: Record<Side, Hand>;
  #x = 0;
  #z = 0;
  #heading = 0;
  #speed = { ahead: 0, aside: 0, turn: 0 };
  #gesture: { name: Gesture; since: number } | null = null;
  #time = 0;
  #bow = 0;
  #lead: Lead = { ahead: 0, aside: 0, turn: 0, leftHand: 0, rightHand: 0 };

  /** `rest` of the average body, until the server has made one of the `height` in metres. */
  constructor(rest: RestOffsets, height: number) {
    const how = { case: "size", value: { height } } as const;
    this.header = { calibration: { how, axes: DeviceAxes.JOINTS } };
    const { hanging } = (this.#build = buildOf(rest));
    this.#hands = {
      left: { place: hanging.left, wanted: hanging.left },
      right: { place: hanging.right, wanted: hanging.right },
    };
  }

  /** The body that is led, as the server has it: devices are worn at its joints. */
  fit(rest: RestOffsets): void {
    const build = buildOf(rest);
    for (const side of SIDES) {
      const hand = this.#hands[side];
      if (hand.wanted === this.#build.hanging[side]) hand.wanted = build.hanging[side];
    }
    this.#build = build;
  }

  lead(lead: Lead): void {
    this.#lead = lead;
  }

  gesture(name: Gesture): void {
    this.#gesture = { name, since: this.#time };
  }

  /** Puts a hand to a place of the world, as far as the arm reaches. */
  drag(side: Side, place: Vec3): void {
    const [x, y, z] = rotated(about([0, 1, 0], -this.#heading), minus(place, [this.#x, 0, this.#z]));
    this.#hands[side].wanted = this.#reached(side, [x, y, z]);
  }

  /** Lets both hands hang. */
  relax(): void {
    this.#gesture = null;
    for (const side of SIDES) this.#hands[side].wanted = this.#build.hanging[side];
  }

  /** Moves on; `time` is seconds since the puppet began, and must not decrease. */
  step(time: number): void {
    const seconds = Math.min(time - this.#time, 0.1);
    this.#time = time;
    const part = 1 - Math.exp(-seconds / LAG_S);
    for (const way of ["ahead", "aside", "turn"] as const) {
      this.#speed[way] += part * (this.#lead[way] - this.#speed[way]);
    }
    this.#heading += seconds * TURN_SPEED * this.#speed.turn;
    const ahead = seconds * WALK_SPEED * this.#speed.ahead;
    const aside = seconds * WALK_SPEED * this.#speed.aside;
    this.#x += ahead * Math.sin(this.#heading) + aside * Math.cos(this.#heading);
    this.#z += ahead * Math.cos(this.#heading) - aside * Math.sin(this.#heading);
    const handPart = 1 - Math.exp(-seconds / HAND_LAG_S);
    for (const side of SIDES) {
      const hand = this.#hands[side];
      hand.place = plus(hand.place, scaled(minus(this.#wantedHand(side), hand.place), handPart));
    }
    this.#bow += handPart * (this.#strength("bow") - this.#bow);
    if (this.#gesture && time - this.#gesture.since > GESTURE_S) this.#gesture = null;
  }

  input(): PlayerInput {
    const { head, leftHand, rightHand } = this.#led();
    const headTurn = this.#headTurn();
    const tracker = (role: TrackerRole, place: Vec3, turn: Quat) => ({
      role,
      position: [...place],
      rotation: [...turn],
    });
    return {
      case: "trackers",
      value: {
        trackers: [
          tracker(TrackerRole.HEAD, head, headTurn),
          tracker(TrackerRole.LEFT_HAND, leftHand.place, leftHand.turn),
          tracker(TrackerRole.RIGHT_HAND, rightHand.place, rightHand.turn),
        ],
      },
    };
  }

  /** The body that the server planned, with head and hands where they are led now. */
  shown(_time: number, planned: Pose | null, rest: RestOffsets): Pose {
    const pose = planned ?? standing(this.#build.rest, this.#x, this.#z, this.#heading);
    return withLed(pose, this.#led(), rest);
  }

  #led(): Led {
    const sway = SWAY * Math.sin(1.3 * this.#time);
    const breath = 0.5 * SWAY * Math.sin(2.1 * this.#time + 1);
    const head = this.#world([
      this.#build.head[0] + sway,
      this.#build.head[1] + breath - 0.16 * this.#bow,
      this.#build.head[2] + 0.4 * sway + 0.36 * this.#bow,
    ]);
    return { head, leftHand: this.#hand("left", sway, breath), rightHand: this.#hand("right", sway, breath) };
  }

  #hand(side: Side, sway: number, breath: number): { place: Vec3; turn: Quat } {
    const hand = this.#hands[side];
    const place = this.#world(plus(hand.place, [0.8 * sway, breath, 0.5 * sway]));
    const turn = product(about([0, 1, 0], this.#heading), this.#turnOf(side, hand.place));
    return { place, turn };
  }

  /** Fingers on from the shoulder; the palm faces inwards, ahead where the hand is high, down where
   * the arm is stretched to the side. */
  #turnOf(side: Side, place: Vec3): Quat {
    const inwards = side === "left" ? -1 : 1;
    const way = unit(minus(place, this.#build.shoulders[side]));
    const raised = Math.min(Math.max((place[1] - this.#build.shoulders[side][1]) / 0.15 + 0.6, 0), 1);
    const sideways = Math.max(-inwards * way[0], 0);
    const fingers: Vec3 = unit([way[0], way[1] + 2.5 * raised, way[2]]);
    const palm: Vec3 = [inwards * (1 - raised), -sideways * (1 - raised), 1.2 * raised];
    return handTurn(side, fingers, palm);
  }

  #headTurn(): Quat {
    return product(about([0, 1, 0], this.#heading), about([1, 0, 0], 0.75 * this.#bow));
  }

  #world(place: Vec3): Vec3 {
    return plus(rotated(about([0, 1, 0], this.#heading), place), [this.#x, 0, this.#z]);
  }

  /** 0 to 1: how far a gesture is under way. */
  #strength(name: Gesture): number {
    if (this.#gesture?.name !== name) return 0;
    const passed = this.#time - this.#gesture.since;
    return Math.min(Math.max(Math.min(passed, GESTURE_S - passed) / FADE_S, 0), 1);
  }

  #wantedHand(side: Side): Vec3 {
    const outwards = side === "left" ? 1 : -1;
    const shoulder = this.#build.shoulders[side];
    let wanted = this.#hands[side].wanted;
    const towards = (place: Vec3, strength: number) => {
      const target = this.#reached(side, plus(shoulder, place));
      wanted = plus(wanted, scaled(minus(target, wanted), strength));
    };
    const led = side === "left" ? this.#lead.leftHand : this.#lead.rightHand;
    towards([-0.05 * outwards, -0.27, 0.44], led);
    if (side === "right") {
      const wave = 0.14 * Math.sin(2 * Math.PI * 1.4 * this.#time);
      towards([-0.05 * outwards, -0.27, 0.44], this.#strength("offer hand"));
      towards([0.03 * outwards, 0.12, 0.42], this.#strength("high five"));
      towards([(0.18 + wave) * outwards, 0.24, 0.22], this.#strength("wave"));
    }
    towards([0.3 * outwards, -0.05, 0.36], this.#strength("open arms"));
    return wanted;
  }

  #reached(side: Side, place: Vec3): Vec3 {
    const way = minus(place, this.#build.shoulders[side]);
    const most = REACH * this.#build.armLength;
    const far = length(way);
    return far <= most ? place : plus(this.#build.shoulders[side], scaled(way, most / far));
  }
}

const SIDES: readonly Side[] = ["left", "right"];

function buildOf(rest: RestOffsets): Build {
  const { places } = jointsOf(standing(rest), rest);
  return {
    rest,
    head: places[JOINT.head]!,
    shoulders: { left: places[JOINT.left_shoulder]!, right: places[JOINT.right_shoulder]! },
    hanging: { left: places[JOINT.left_wrist]!, right: places[JOINT.right_wrist]! },
    armLength: length(vec3At(rest, JOINT.left_elbow)) + length(vec3At(rest, JOINT.left_wrist)),
  };
}
