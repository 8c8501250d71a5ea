// A body in the scene: the open body of `/v1/body.glb`, its bones put where a pose says.
// Knows three.js and poses; no session. Axes are the wire's, which three.js shares.

import { Bone, Mesh, MeshStandardMaterial, Object3D, SkinnedMesh, Vector3 } from "three";
import type { ColorRepresentation } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { closed } from "../body/fingers";
import type { Pose } from "../body/pose";
import { IDENTITY, product } from "../body/quaternions";
import type { Quat, Vec3 } from "../body/quaternions";
import { JOINT_COUNT, JOINT_NAMES } from "../body/skeleton";
import type { RestOffsets } from "../body/skeleton";

/** What can stand for a person: the open body, or an avatar. */
export interface Figure {
  readonly root: Object3D;
  pose(pose: Pose, rest: RestOffsets): void;
  /** The colour of a figure that has none of its own. */
  tint(color: ColorRepresentation): void;
  /** World places of the 22 joints as they are drawn, 66 numbers. */
  joints(): Float32Array;
  dispose(): void;
}

/** A joint of a finger, as the body's file describes it (docs/formats.md, Hands). */
interface FingerJoint {
  readonly bone: Bone;
  /** Which curl bends it. */
  readonly curl: number;
  /** Turn against its parent in a straight finger. */
  readonly straight: Quat;
  /** What closing the finger adds: a rotation vector, radians. */
  readonly closing: Vec3;
}

export class BodyFigure implements Figure {
  readonly root = new Object3D();
  /** Offsets of the joints of the average body. */
  readonly rest: RestOffsets;
  readonly #skin = new MeshStandardMaterial({ roughness: 0.62, metalness: 0.05 });
  readonly #bones: Bone[];
  readonly #fingers: readonly FingerJoint[];
  readonly #place = new Vector3();

  private constructor(
    scene: Object3D,
    /** Betas with commas, as the server was asked for them; empty: the average body. */
    readonly shape: string,
  ) {
    this.root.add(scene);
    const bones = bonesOf(scene);
    this.#bones = jointsAmong(bones);
    this.#fingers = fingersAmong(bones);
    this.rest = Float32Array.from(this.#bones.flatMap((bone) => bone.position.toArray()));
    scene.traverse((node) => {
      if (!(node instanceof SkinnedMesh)) return;
      node.frustumCulled = false;
      node.castShadow = node.receiveShadow = true;
      node.material = this.#skin;
    });
  }

  /** Throws Error if the file holds no body with the 22 joints. */
  static async from(glb: ArrayBuffer, shape = ""): Promise<BodyFigure> {
    const { scene } = await new GLTFLoader().parseAsync(glb, "");
    return new BodyFigure(scene, shape);
  }

  pose(pose: Pose, rest: RestOffsets): void {
    const { quats, transl } = pose;
    this.#bones.forEach((bone, joint) => {
      bone.position.fromArray(rest, 3 * joint);
      bone.quaternion.fromArray(quats, 4 * joint);
    });
    for (const { bone, curl, straight, closing } of this.#fingers) {
      const bent = pose.curls ? product(closed(closing, pose.curls[curl]!), straight) : IDENTITY;
      bone.quaternion.fromArray(bent);
    }
    const root = this.#bones[0]!.position;
    root.set(root.x + transl[0]!, root.y + transl[1]!, root.z + transl[2]!);
  }

  tint(color: ColorRepresentation): void {
    this.#skin.color.set(color);
  }

  joints(): Float32Array {
    const places = new Float32Array(3 * JOINT_COUNT);
    this.root.updateMatrixWorld(true);
    this.#bones.forEach((bone, joint) => {
      this.#place.setFromMatrixPosition(bone.matrixWorld).toArray(places, 3 * joint);
    });
    return places;
  }

  dispose(): void {
    this.root.removeFromParent();
    this.root.traverse((node) => {
      if (node instanceof Mesh) (node as Mesh).geometry.dispose();
    });
    this.#skin.dispose();
  }
}

function bonesOf(scene: Object3D): Map<string, Bone> {
  const found = new Map<string, Bone>();
  scene.traverse((node) => {
    const bone: Object3D = node;
    if (bone instanceof Bone) found.set(bone.name, bone as Bone);
  });
  return found;
}

function jointsAmong(bones: ReadonlyMap<string, Bone>): Bone[] {
  return JOINT_NAMES.map((name) => {
    const bone = bones.get(name);
    if (!bone) throw new Error(`the body has no joint ${name}; the server is of another version`);
    return bone;
  });
}

/** None of a body whose hands are of one piece. */
function fingersAmong(bones: ReadonlyMap<string, Bone>): FingerJoint[] {
  return [...bones.values()]
    .filter(({ userData }) => "closing" in userData)
    .map((bone) => ({ bone, ...(bone.userData as Omit<FingerJoint, "bone">) }));
}
