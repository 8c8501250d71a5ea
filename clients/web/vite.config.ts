// Builds the page into the engine's data, where the gateway finds it, with the licences of what is
// inside it, and hashes that tell whether it is stale (tests/clients/test_web.py).

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { defineConfig } from "vite";
import type { Plugin } from "vite";

const HERE = import.meta.dirname;
const ROOT = join(HERE, "../..");
const OUT = join(ROOT, "engine/data/viewer");
/** The player that is shipped, for those who have no recording. */
const DEMO = join(ROOT, "engine/data/demo_player.npz");
const HASHES = "hashes.sha256";

export default defineConfig({
  base: "./",
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
    assetsInlineLimit: 0,
  },
  plugins: [demoPlayer(), licences(), hashes()],
});

function demoPlayer(): Plugin {
  return {
    name: "demo-player",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "demo_player.npz", source: readFileSync(DEMO) });
    },
  };
}

/** One text of the licences of all packages that ended up in the build. */
function licences(): Plugin {
  return {
    name: "licences",
    generateBundle(_, bundle) {
      const folders = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const id of Object.keys(chunk.modules)) {
          if (id.includes("node_modules")) folders.add(packageOf(id.replace(/^\0/, "")));
        }
      }
      const texts = [...folders].sort().map((folder) => {
        const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
        const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
        const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Licence: ${license!}`;
        return `${name!} ${version!} (${license!})\n\n${text}\n`;
      });
      const source = `This page contains:\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
      this.emitFile({ type: "asset", fileName: "LICENCES.txt", source });
    },
  };
}

function packageOf(id: string): string {
  let folder = dirname(id.split("?")[0]!);
  for (;;) {
    const path = join(folder, "package.json");
    if (existsSync(path) && "version" in (JSON.parse(readFileSync(path, "utf8")) as object)) return folder;
    folder = dirname(folder);
  }
}

/** sha256 of every source and of every built file, as sha256sum writes them. */
function hashes(): Plugin {
  return {
    name: "hashes",
    closeBundle() {
      const sources = [
        ...filesIn(join(HERE, "src")),
        ...filesIn(join(HERE, "public")),
        ...["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"].map((name) => join(HERE, name)),
        DEMO,
      ];
      const built = filesIn(OUT).filter((path) => !path.endsWith(HASHES));
      const lines = [...sources, ...built].map((path) => {
        const digest = createHash("sha256").update(readFileSync(path)).digest("hex");
        return `${digest}  ${relative(ROOT, path)}`;
      });
      writeFileSync(join(OUT, HASHES), `${lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join("\n")}\n`);
    },
  };
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
