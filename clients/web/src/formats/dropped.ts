// Files that are opened or dropped: which kind each is, and what comes of it.
// Knows the readers; neither the scene nor the session.

import type { RestOffsets } from "../body/skeleton";
import type { Motion } from "../motion/motion";
import type { Figure } from "../scene/figure";
import { FileError } from "./errors";
import { readNpz } from "./npz";

export type Dropped =
  | { readonly kind: "motion"; readonly motion: Motion }
  | { readonly kind: "figure"; readonly figure: Figure };

/** Reads a file by its name's ending. Throws FileError that says what to do instead. */
export async function readDropped(file: File, rest: RestOffsets): Promise<Dropped> {
  const bytes = await file.arrayBuffer();
  const ending = file.name.split(".").at(-1)?.toLowerCase();
  switch (ending) {
    case "npz":
      return { kind: "motion", motion: await readNpz(file.name, new Uint8Array(bytes)) };
    case "bvh": {
      const { readBvh } = await import("./bvh");
      return { kind: "motion", motion: readBvh(file.name, new TextDecoder().decode(bytes), rest) };
    }
    case "glb": {
      const { readGlb } = await import("./glb");
      return { kind: "motion", motion: await readGlb(file.name, bytes, rest) };
    }
    case "vrm": {
      const { readVrm } = await import("../scene/avatar");
      return { kind: "figure", figure: await readVrm(file.name, bytes) };
    }
    default:
      throw new FileError(file.name, "is of a kind that this page does not read; drop .npz .bvh .glb .vrm");
  }
}
