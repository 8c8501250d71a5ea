// A VRM avatar of our own body: `/v1/body.glb` with the extension VRMC_vrm (1.0) or VRM (0.x), its soles on
// y = 0 and its fingers straight as a VRM's must be. Knows glTF's container and bones; no three.js.

import { JOINT_NAMES } from "../src/body/skeleton";

interface Gltf {
  nodes: {
    name?: string;
    children?: number[];
    translation?: number[];
    rotation?: number[];
    extras?: { straight?: number[] };
  }[];
  accessors: { min?: number[] }[];
  meshes: { primitives: { attributes: { POSITION: number } }[] }[];
  extensionsUsed?: string[];
  extensions?: object;
}

const BONES = [
  "hips", "leftUpperLeg", "rightUpperLeg", "spine", "leftLowerLeg", "rightLowerLeg", "chest", "leftFoot",
  "rightFoot", "upperChest", "leftToes", "rightToes", "neck", "leftShoulder", "rightShoulder", "head",
  "leftUpperArm", "rightUpperArm", "leftLowerArm", "rightLowerArm", "leftHand", "rightHand",
];
/** VRM's bones of our finger joints: left_index1 is leftIndexProximal. */
function fingerBone(joint: string): string {
  const [, side, finger, number] = /^(left|right)_(\w+)([123])$/.exec(joint)!;
  const parts = finger === "thumb" ? ["Metacarpal", "Proximal", "Distal"] : ["Proximal", "Intermediate", "Distal"];
  const name = finger === "pinky" ? "little" : finger!;
  return `${side!}${name[0]!.toUpperCase()}${name.slice(1)}${parts[Number(number) - 1]!}`;
}

/** About Y: models of 0.x face -Z. */
const HALF_A_TURN = [0, 1, 0, 0];
const META = {
  name: "Open body",
  version: "1",
  authors: ["Contrapose"],
  licenseUrl: "https://vrm.dev/licenses/1.0/",
};
/** 0.x calls the thumb's bones as those of all fingers. */
const OLD_THUMB: Readonly<Record<string, string>> = { ThumbProximal: "ThumbIntermediate", ThumbMetacarpal: "ThumbProximal" };
const [HEADER_BYTES, CHUNK_HEADER_BYTES] = [12, 8];

export function vrmOf(glb: Buffer, version: "1.0" | "0.x" = "1.0"): Buffer {
  const at = HEADER_BYTES + CHUNK_HEADER_BYTES;
  const length = glb.readUInt32LE(HEADER_BYTES);
  const gltf = JSON.parse(glb.toString("utf8", at, at + length)) as Gltf;
  const node = (name: string) => gltf.nodes.findIndex((one) => one.name === name);
  const top = gltf.nodes.find(({ children }) => children?.includes(node("pelvis")))!;
  top.translation = [0, -gltf.accessors[gltf.meshes[0]!.primitives[0]!.attributes.POSITION]!.min![1]!, 0];
  const body = JOINT_NAMES.map((joint, index) => [BONES[index]!, { node: node(joint) }] as const);
  const fingers = gltf.nodes.flatMap((one, index) => {
    if (!one.extras?.straight) return [];
    one.rotation = one.extras.straight;
    return [[fingerBone(one.name!), { node: index }] as const];
  });
  if (version === "1.0") {
    const humanBones = Object.fromEntries([...body, ...fingers]);
    gltf.extensionsUsed = ["VRMC_vrm"];
    gltf.extensions = { VRMC_vrm: { specVersion: "1.0", meta: META, humanoid: { humanBones } } };
  } else {
    const old = (bone: string) => bone.replace(/Thumb(Metacarpal|Proximal)/, (part) => OLD_THUMB[part]!);
    const humanBones = [...body, ...fingers].map(([bone, { node }]) => ({ bone: old(bone), node, useDefaultValues: true }));
    top.rotation = HALF_A_TURN;
    gltf.extensionsUsed = ["VRM"];
    gltf.extensions = { VRM: { specVersion: "0.0", meta: { title: META.name }, humanoid: { humanBones } } };
  }
  const text = Buffer.from(JSON.stringify(gltf));
  const json = Buffer.concat([text, Buffer.alloc(-text.length & 3, " ")]);
  const head = Buffer.from(glb.subarray(0, at));
  head.writeUInt32LE(glb.length + json.length - length, 8);
  head.writeUInt32LE(json.length, HEADER_BYTES);
  return Buffer.concat([head, json, glb.subarray(at + length)]);
}
