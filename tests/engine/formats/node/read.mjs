// What readers of others make of files: `node read.mjs FILES`. Prints a line of JSON a file.

import fs from "node:fs";
import path from "node:path";
import { VRMAnimationLoaderPlugin } from "@pixiv/three-vrm-animation";
import validator from "gltf-validator";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

globalThis.self = globalThis; // GLTFLoader asks for it
const warnings = [];
console.warn = (...words) => warnings.push(words.join(" "));

async function vrmAnimation(bytes) {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMAnimationLoaderPlugin(parser));
  const { vrmAnimations } = (await loader.parseAsync(bytes.buffer, "")).userData;
  const [animation] = vrmAnimations;
  return {
    animations: vrmAnimations.length,
    duration: animation.duration,
    rotations: [...animation.humanoidTracks.rotation.keys()],
    translations: [...animation.humanoidTracks.translation.keys()],
    restHips: animation.restHipsPosition.toArray(),
  };
}

for (const file of process.argv.slice(2)) {
  const bytes = new Uint8Array(fs.readFileSync(file));
  const { issues } = await validator.validateBytes(bytes, { uri: path.basename(file) });
  const told = { errors: issues.numErrors, warnings: issues.numWarnings, messages: issues.messages };
  if (file.endsWith(".vrma")) Object.assign(told, { vrm: await vrmAnimation(bytes) });
  process.stdout.write(JSON.stringify({ ...told, complaints: warnings.splice(0) }) + "\n");
}
