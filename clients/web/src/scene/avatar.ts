// A VRM avatar in the place of a body: our turns go to its humanoid bones as they are, because both
// are relative to a T pose. Knows @pixiv/three-vrm. Only the hips move.

import { VRMLoaderPlugin, VRMUtils } from "@pixiv/three-vrm";
import type { VRM, VRMHumanBoneName } from "@pixiv/three-vrm";
import { Object3D, Quaternion, Vector3 } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import type { GLTF } from "three/addons/loaders/GLTFLoader.js";
import { FileError } from "../formats/errors";
import { bent } from "../body/fingers";
import type { Pose } from "../body/pose";
import { IDENTITY, product } from "../body/quaternions";
import { JOINT_COUNT, PARENTS, soleHeight } from "../body/skeleton";
import type { RestOffsets } from "../body/skeleton";
import type { Figure } from "./figure";

/** Humanoid bones in the order of our joints. */
const BONES: readonly VRMHumanBoneName[] = [
  "hips", "leftUpperLeg", "rightUpperLeg", "spine", "leftLowerLeg", "rightLowerLeg", "chest", "leftFoot",
  "rightFoot", "upperChest", "leftToes", "rightToes", "neck", "leftShoulder", "rightShoulder", "head",
  "leftUpperArm", "rightUpperArm", "leftLowerArm", "rightLowerArm", "leftHand", "rightHand",
];
/** Of a finger, from the knuckle on; the thumb's knuckle is at the wrist. */
const SEGMENTS: Readonly<Record<string, readonly string[]>> = {
  Thumb: ["Metacarpal", "Proximal", "Distal"],
  Index: ["Proximal", "Intermediate", "Distal"],
  Middle: ["Proximal", "Intermediate", "Distal"],
  Ring: ["Proximal", "Intermediate", "Distal"],
  Little: ["Proximal", "Intermediate", "Distal"],
};
/** Bones of each finger in the order of curls. */
export const FINGER_BONES = ["left", "right"].flatMap((side) =>
  Object.entries(SEGMENTS).map(([finger, parts]) => parts.map((part) => `${side}${finger}${part}` as VRMHumanBoneName)),
);
const TICK_S = 1 / 60;

export class Avatar implements Figure {
  readonly root: Object3D;
  readonly #nodes: (Object3D | null)[];
  readonly #fingers: (Object3D | null)[][];
  readonly #faces: 1 | -1;
  readonly #hipsHeight: number;
  readonly #place = new Vector3();

  constructor(private readonly vrm: VRM) {
    this.root = vrm.scene;
    // VRM 0 faces -Z: the scene is turned round, and turns about X and Z change their signs.
    this.#faces = vrm.meta.metaVersion === "0" ? -1 : 1;
    VRMUtils.rotateVRM0(vrm);
    this.#nodes = BONES.map((bone) => vrm.humanoid.getNormalizedBoneNode(bone));
    this.#fingers = FINGER_BONES.map((bones) => bones.map((bone) => vrm.humanoid.getNormalizedBoneNode(bone)));
    this.#hipsHeight = vrm.humanoid.normalizedRestPose.hips?.position?.[1] ?? 1;
    this.root.traverse((node) => {
      node.frustumCulled = false;
      node.castShadow = true;
    });
  }

  pose(pose: Pose, rest: RestOffsets): void {
    const faces = this.#faces;
    const turns = Array.from({ length: JOINT_COUNT }, (_, joint) =>
      new Quaternion().fromArray(pose.quats, 4 * joint),
    );
    // What an avatar does not have turns with the joint that it hangs on.
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      if (this.#nodes[joint]) continue;
      PARENTS.forEach((parent, child) => {
        if (parent === joint) turns[child]!.premultiply(turns[joint]!);
      });
    }
    turns.forEach((turn, joint) => {
      this.#nodes[joint]?.quaternion.set(faces * turn.x, turn.y, faces * turn.z, turn.w);
    });
    if (pose.curls) this.#bend(pose.curls);
    const [x, y, z] = [0, 1, 2].map((axis) => rest[axis]! + pose.transl[axis]!) as [number, number, number];
    const scale = this.#hipsHeight / (rest[1]! - soleHeight(rest));
    // Turned about in the scene, and over the place where the person is, whatever its size.
    this.#nodes[0]?.position.set(0, y * scale, 0);
    this.root.position.set(x, 0, z);
    this.vrm.update(TICK_S);
  }

  #bend(curls: Float32Array): void {
    this.#fingers.forEach((nodes, finger) => {
      let above = IDENTITY; // of bones that the avatar does not have
      nodes.forEach((node, joint) => {
        const turn = product(above, bent(finger, joint, curls[finger]!));
        const [x, y, z, w] = turn;
        node?.quaternion.set(this.#faces * x, y, this.#faces * z, w);
        above = node ? IDENTITY : turn;
      });
    });
  }

  tint(): void {
    // An avatar has colours of its own.
  }

  joints(): Float32Array {
    const places = new Float32Array(3 * JOINT_COUNT);
    this.root.updateMatrixWorld(true);
    BONES.forEach((bone, joint) => {
      const node = this.vrm.humanoid.getRawBoneNode(bone) ?? this.vrm.humanoid.getRawBoneNode("hips")!;
      this.#place.setFromMatrixPosition(node.matrixWorld).toArray(places, 3 * joint);
    });
    return places;
  }

  dispose(): void {
    this.root.removeFromParent();
    VRMUtils.deepDispose(this.root);
  }
}

/** Throws FileError if the file is no VRM. */
export async function readVrm(file: string, bytes: ArrayBuffer): Promise<Avatar> {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  const loaded: GLTF | null = await loader.parseAsync(bytes, "").catch(() => null);
  const vrm = loaded?.userData.vrm as VRM | undefined;
  if (!vrm) throw new FileError(file, "is no VRM avatar; export it as VRM 1.0 or 0.x");
  return new Avatar(vrm);
}
