// As much of a Unity WebGL player as a .jslib can tell from a real one: Emscripten's linker, and a heap
// that grows. Knows the .jslib and the C# that calls it; neither the server nor what messages mean.

import { createContext, runInContext } from "node:vm";
import type { Page } from "playwright-core";

const IMPORT = /\[DllImport\("__Internal"\)\]\s*static extern \S+ (\w+)\(([^)]*)\)/g;

/** Functions that C# imports from the page, and how many arguments it gives them. */
export function importsOf(csharp: string): Map<string, number> {
  const found = [...csharp.matchAll(IMPORT)];
  return new Map(found.map(([, name, given]) => [name!, given!.trim() ? given!.split(",").length : 0]));
}

/**
 * The script that Emscripten makes of a library: what is imported and, by `__deps`, what that needs; no
 * more, so that a dependency nobody declared is missing in the page. `$name` becomes a variable `name`,
 * any other `name` the function `_name`.
 */
export function linked(jslib: string, imports: Iterable<string>): string {
  const library: Record<string, unknown> = {};
  const context = createContext({
    LibraryManager: { library },
    mergeInto: (into: object, symbols: object) => Object.assign(into, symbols),
  });
  runInContext(jslib, context);
  const [script, reached] = [[] as string[], new Set<string>()];
  const reach = (symbol: string): void => {
    if (reached.has(symbol)) return;
    reached.add(symbol);
    const value = library[symbol];
    if (value === undefined) throw new Error(`undefined symbol: ${symbol}`);
    ((library[`${symbol}__deps`] ?? []) as string[]).forEach(reach);
    const name = symbol.startsWith("$") ? symbol.slice(1) : `_${symbol}`;
    script.push(`var ${name} = ${typeof value === "function" ? String(value) : JSON.stringify(value)};`);
  };
  [...imports].forEach(reach);
  return script.join("\n");
}

interface Heap {
  HEAPU8: Uint8Array;
  UTF8ToString: (at: number) => string;
  /** Bytes that C# has pinned; nothing is freed, so that the heap has to grow. */
  pinned: (bytes: ArrayLike<number>) => number;
}
type Imported = Record<string, (...given: number[]) => number>;

/** The socket as WebGlTransport.cs uses it: each call is one of its calls. */
export class UnitySocket {
  private constructor(
    private readonly page: Page,
    readonly id: number,
  ) {}

  /** Puts the heap and a linked library into a page. */
  static async load(page: Page, script: string): Promise<void> {
    await page.evaluate(() => {
      const memory = new WebAssembly.Memory({ initial: 1 });
      const heap = globalThis as unknown as Heap;
      heap.HEAPU8 = new Uint8Array(memory.buffer);
      let top = 8;
      heap.pinned = (bytes) => {
        const at = top;
        top += (bytes.length + 7) & ~7;
        while (memory.buffer.byteLength < top) memory.grow(1);
        if (heap.HEAPU8.buffer !== memory.buffer) heap.HEAPU8 = new Uint8Array(memory.buffer);
        heap.HEAPU8.set(bytes, at);
        return at;
      };
      heap.UTF8ToString = (at) => new TextDecoder().decode(heap.HEAPU8.slice(at, heap.HEAPU8.indexOf(0, at)));
    });
    await page.addScriptTag({ content: script });
  }

  static async open(page: Page, address: string, token = ""): Promise<UnitySocket> {
    const id = await page.evaluate(
      (given) => {
        const { pinned, _ContraposeSocketOpen } = globalThis as unknown as Heap & Imported;
        const pointers = given.map((text) => pinned(new TextEncoder().encode(`${text}\0`)));
        return _ContraposeSocketOpen!(...pointers);
      },
      [address, token],
    );
    return new UnitySocket(page, id);
  }

  /** Waits until it is open or closed: 1 or 2. */
  async settled(): Promise<number> {
    await this.page.waitForFunction((id) => {
      const { _ContraposeSocketState } = globalThis as unknown as Imported;
      return _ContraposeSocketState!(id) !== 0;
    }, this.id);
    return this.#ask("State");
  }

  async send(message: Uint8Array): Promise<number> {
    return this.page.evaluate(
      ([id, bytes]) => {
        const { pinned, _ContraposeSocketSend } = globalThis as unknown as Heap & Imported;
        const at = pinned(bytes);
        const taken = _ContraposeSocketSend!(id, at, bytes.length);
        // C# writes its next message into the same place at once.
        (globalThis as unknown as Heap).HEAPU8.fill(0xff, at, at + bytes.length);
        return taken;
      },
      [this.id, [...message]] as const,
    );
  }

  /** The oldest message, once one waits; null: it is closed, and none does. */
  async take(): Promise<Uint8Array | null> {
    const taken = await this.page.waitForFunction((id) => {
      const { pinned, _ContraposeSocketPending, _ContraposeSocketState, _ContraposeSocketTake } =
        globalThis as unknown as Heap & Imported;
      const length = _ContraposeSocketPending!(id);
      if (length === 0) return _ContraposeSocketState!(id) === 2 && "closed";
      const at = pinned(new Uint8Array(length));
      _ContraposeSocketTake!(id, at, length);
      return [...(globalThis as unknown as Heap).HEAPU8.slice(at, at + length)];
    }, this.id);
    const bytes = (await taken.jsonValue()) as number[] | "closed";
    return bytes === "closed" ? null : Uint8Array.from(bytes);
  }

  /** What it was closed with; its reason cut to the room that C# has. */
  async closing(room = 256): Promise<{ code: number; reason: string }> {
    const reason = await this.page.evaluate(
      ([id, size]) => {
        const { pinned, _ContraposeSocketReason } = globalThis as unknown as Heap & Imported;
        const at = pinned(new Uint8Array(size));
        const length = _ContraposeSocketReason!(id, at, size);
        return new TextDecoder().decode((globalThis as unknown as Heap).HEAPU8.slice(at, at + length));
      },
      [this.id, room] as const,
    );
    return { code: await this.#ask("Code"), reason };
  }

  /** Closes it from this side; the code that the browser's socket then ends with. */
  async close(): Promise<number> {
    return this.page.evaluate(async (id) => {
      const { ContraposeSockets, _ContraposeSocketClose } = globalThis as unknown as Imported & {
        ContraposeSockets: { open: Record<number, { socket: WebSocket }> };
      };
      const { socket } = ContraposeSockets.open[id]!;
      const ended = new Promise<number>((resolve) => {
        socket.addEventListener("close", ({ code }) => {
          resolve(code);
        });
      });
      _ContraposeSocketClose!(id);
      if (id in ContraposeSockets.open) throw new Error(`socket ${id} is kept after it was closed`);
      return ended;
    }, this.id);
  }

  async #ask(what: "State" | "Code"): Promise<number> {
    return this.page.evaluate(
      ([name, id]) => (globalThis as unknown as Imported)[name]!(id),
      [`_ContraposeSocket${what}`, this.id] as const,
    );
  }
}
