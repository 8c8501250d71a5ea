// The package imports its own binaries; Node gets their addresses instead.
const BINARY = /\.(dll|wasm|dat|pdb)$/;

export async function load(url, context, next) {
  if (!BINARY.test(url)) return next(url, context);
  return { format: "module", shortCircuit: true, source: `export default ${JSON.stringify(url)}` };
}
