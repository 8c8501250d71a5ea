// Makes src/gen from the wire contract: `npm run generate`. Takes protoc from the project's Python;
// PYTHON names another.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const folder = join(root, "proto/contrapose/v1");
const protos = readdirSync(folder).filter((name) => name.endsWith(".proto")).sort();
const python = process.env.PYTHON ?? join(root, ".venv/bin/python");

execFileSync(
  python,
  [
    "-m",
    "grpc_tools.protoc",
    `-I${join(root, "proto")}`,
    `--plugin=protoc-gen-es=${join(here, "node_modules/.bin/protoc-gen-es")}`,
    `--es_out=${join(here, "src/gen")}`,
    "--es_opt=target=ts",
    ...protos.map((name) => join(folder, name)),
  ],
  { stdio: "inherit" },
);

// What the types were made from: a test compares, without Node.
const hashes = protos.map((name) => {
  const digest = createHash("sha256").update(readFileSync(join(folder, name))).digest("hex");
  return `${digest}  proto/contrapose/v1/${name}`;
});
writeFileSync(join(here, "src/gen/protos.sha256"), `${hashes.join("\n")}\n`);
