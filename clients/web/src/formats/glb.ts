// Motion in a binary glTF: the first person of its first animation. Knows three.js's loader.

import { AnimationMixer, LoopOnce, Quaternion, Vector3 } from "three";
import type { Object3D } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import type { RestOffsets } from "../body/skeleton";
import type { Motion } from "../motion/motion";
import type { Quat, Vec3 } from "../body/quaternions";
import { FileError } from "./errors";
import { retargeted } from "./retarget";
import type { RigFrame, RigNode } from "./retarget";

const FRAME_RATE = 30;
const MOST_SECONDS = 600;
/** Of a frame: a file's times are of 32 bits. */
const ROUNDING = 0.01;

/** Throws FileError if there is no animation, or no person in it. */
export async function readGlb(file: string, bytes: ArrayBuffer, rest: RestOffsets): Promise<Motion> {
  const loaded = await new GLTFLoader().parseAsync(bytes, "").catch((error: unknown) => {
    throw new FileError(file, `cannot be read (${String(error)}); export it again as binary glTF`);
  });
  const clip = loaded.animations[0];
  if (!clip) throw new FileError(file, "has no animation; export one, or drop an avatar as .vrm");
  const all: Object3D[] = [];
  loaded.scene.traverse((node) => all.push(node));
  // Of two people that we wrote ourselves, the player's joints are named so.
  const players = all.filter((node) => node.name.startsWith("player_"));
  const objects = players.length > 0 ? players : all;
  const rig: RigNode[] = objects.map((node) => ({ name: node.name, ...placed(node) }));
  const mixer = new AnimationMixer(loaded.scene);
  // One that is played again and again is back at its beginning at its last moment.
  const action = mixer.clipAction(clip).setLoop(LoopOnce, 1).play();
  action.clampWhenFinished = true;
  const count = Math.floor(Math.min(clip.duration, MOST_SECONDS) * FRAME_RATE + ROUNDING) + 1;
  const frames: RigFrame[] = [];
  for (let frame = 0; frame < count; frame++) {
    mixer.setTime(frame / FRAME_RATE);
    loaded.scene.updateMatrixWorld(true);
    const now = objects.map(placed);
    frames.push({ turn: (node) => now[node]!.restTurn, place: (node) => now[node]!.restPlace });
  }
  return { name: file, frameRate: FRAME_RATE, people: [retargeted(file, rig, frames, rest)] };
}

function placed(node: Object3D): { restPlace: Vec3; restTurn: Quat } {
  return {
    restPlace: node.getWorldPosition(new Vector3()).toArray(),
    restTurn: node.getWorldQuaternion(new Quaternion()).toArray(),
  };
}
