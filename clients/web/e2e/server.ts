// A real server with the starter bundle, and a proxy before it that can cut every connection.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const ROOT = join(import.meta.dirname, "../../..");
export const PYTHON = process.env.PYTHON ?? join(ROOT, ".venv/bin/python");
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PAGE = /^page on (http:\S+)/;

export class RunningServer {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
  ) {}

  /** `contrapose serve` on free ports, with more flags; it ends with its standard input. */
  static async start(...more: string[]): Promise<RunningServer> {
    const flags = ["--port", "0", "--http-port", "0", "--stop-on-eof", "--drain-seconds", "0", ...more];
    const process = spawn(PYTHON, ["-m", "engine.cli", "serve", ...flags], {
      cwd: ROOT,
      stdio: ["pipe", "pipe", "inherit"],
    });
    for await (const line of createInterface(process.stdout)) {
      const found = PAGE.exec(line);
      if (found) return new RunningServer(found[1]!, process);
    }
    throw new Error("the server ended before it served the page; its messages are above");
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.stdin!.end();
    await ended;
  }
}

/** Passes bytes on, until it cuts. */
export class Proxy {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  url = "";

  constructor(private readonly to: URL) {
    this.#server = createServer((near) => {
      const far = connect(Number(this.to.port), this.to.hostname);
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        this.#sockets.add(socket);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
