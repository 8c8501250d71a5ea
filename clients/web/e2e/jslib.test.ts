// The socket of Unity's WebGL players in a real browser, against a real server that asks for a token:
// the .jslib as it is shipped, linked as Unity would. `make test-web`.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { chromium } from "playwright-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { JOINT_COUNT } from "../src/body/skeleton";
import { readNpz } from "../src/formats/npz";
import { StreamInteractionRequestSchema, StreamInteractionResponseSchema } from "../src/gen/contrapose/v1/interaction_pb";
import { Recording } from "../src/player/recording";
import type { Part } from "../src/session/connection";
import { CHROMIUM, PYTHON, ROOT, RunningServer } from "./server";
import { UnitySocket, importsOf, linked } from "./unity";

const PACKAGE = join(ROOT, "clients/unity_sample/Packages/com.contrapose.client/Runtime/WebGL");
const JSLIB = readFileSync(join(PACKAGE, "ContraposeSocket.jslib"), "utf8");
const IMPORTS = importsOf(readFileSync(join(PACKAGE, "WebGlTransport.cs"), "utf8"));
const HEADER: Part = { case: "header", value: { clientName: "jslib", seed: 7n } };
const UNAUTHENTICATED = 4016;
/** Characters of a close reason: all of ours are of one byte. */
const MOST_REASON = 123;

const folder = mkdtempSync(join(tmpdir(), "jslib-"));
/** Where the game is played: another site than the server's own, as with Unity's Build And Run. */
const game = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<title>game</title>"));
let server: RunningServer;
let browser: Browser;
let page: Page;
let complaints: Error[];
let address: string;
let token: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => game.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(game.address() as AddressInfo).port}`;
  const tokens = join(folder, "tokens");
  const command = ["-m", "engine.cli", "token", "new", "game", "--token-file", tokens];
  token = execFileSync(PYTHON, command, { cwd: ROOT, encoding: "utf8" }).trim();
  server = await RunningServer.start("--token-file", tokens, "--allow-origin", origin);
  address = `${server.url.replace("http", "ws")}v1/interact`;
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  game.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  page = await browser.newPage();
  complaints = [];
  page.on("pageerror", (error) => complaints.push(error));
  await page.goto(`http://127.0.0.1:${(game.address() as AddressInfo).port}`);
  await UnitySocket.load(page, linked(JSLIB, IMPORTS.keys()));
});
afterEach(async () => {
  await page.close();
  expect(complaints).toEqual([]);
});

async function send(socket: UnitySocket, part: Part): Promise<void> {
  const request = create(StreamInteractionRequestSchema, { part });
  expect(await socket.send(toBinary(StreamInteractionRequestSchema, request))).toBe(1);
}

/** Messages as they come, until it is closed and none is left. */
async function* said(socket: UnitySocket) {
  for (let bytes = await socket.take(); bytes; bytes = await socket.take()) {
    yield fromBinary(StreamInteractionResponseSchema, bytes).part;
  }
}

/** The error that a session ends with, and what the socket was closed with. */
async function ending(socket: UnitySocket) {
  let last;
  for await (const part of said(socket)) last = part;
  if (last?.case !== "error") throw new Error(`it ended with ${last?.case ?? "nothing"}`);
  return { error: last.value, closing: await socket.closing() };
}

async function accepted(socket: UnitySocket): Promise<void> {
  expect(await socket.settled()).toBe(1);
  await send(socket, HEADER);
  const first = await said(socket).next();
  expect(first.value?.case).toBe("accepted");
}

describe("the socket of Unity's WebGL players", () => {
  it("has every function that C# imports, with as many arguments", async () => {
    expect([...IMPORTS.keys()]).toContain("ContraposeSocketOpen");
    const arities = await page.evaluate(
      (names) => names.map((name) => [name, (globalThis as unknown as Record<string, () => void>)[`_${name}`]!.length]),
      [...IMPORTS.keys()],
    );
    expect(arities).toEqual([...IMPORTS]);
  });

  it("opens, sends poses and takes frames, until the session ends well", async () => {
    const socket = await UnitySocket.open(page, address, token);
    await accepted(socket);
    const motion = await readNpz("demo", readFileSync(join(ROOT, "engine/data/demo_player.npz")));
    const player = new Recording(motion);
    let sequence = 0n;
    const sending = setInterval(() => {
      sequence += 1n;
      const timeCode = Number(sequence) / 10;
      void send(socket, { case: "pose", value: { sequence, timeCode, input: player.input(timeCode) } });
    }, 100);
    const seen = new Set<bigint>();
    let [answered, summaries] = [0n, 0];
    for await (const part of said(socket)) {
      if (part.case === "summary") summaries += 1;
      if (part.case !== "frames") continue;
      for (const [offset, { partner }] of part.value.frames.entries()) {
        expect(partner!.rotations).toHaveLength(4 * JOINT_COUNT);
        seen.add(part.value.firstFrameIndex + BigInt(offset));
      }
      const isAnswered = answered > 10n;
      if (part.value.basedOnSequence > answered) answered = part.value.basedOnSequence;
      if (isAnswered || answered <= 10n) continue;
      clearInterval(sending);
      await send(socket, { case: "end", value: {} });
    }
    expect(answered).toBeGreaterThan(10n);
    expect([...seen].sort((a, b) => Number(a - b))).toEqual([...seen].map((_, index) => BigInt(index)));
    expect(summaries).toBe(1);
    expect(await socket.closing()).toEqual({ code: 1000, reason: "" });
  });

  it("tells of a second header by the code and the reason it is closed with", async () => {
    const socket = await UnitySocket.open(page, address, token);
    await accepted(socket);
    await send(socket, HEADER);
    const { error, closing } = await ending(socket);
    expect(closing).toEqual({ code: 4000 + error.code, reason: error.message });
    expect(closing.code).toBe(4009);
    expect((await socket.closing(7)).reason).toBe(error.message.slice(0, 7));
    expect(await socket.send(new Uint8Array(1))).toBe(0);
  });

  it("is closed from this side, and the next one works", async () => {
    const socket = await UnitySocket.open(page, address, token);
    await accepted(socket);
    expect(await socket.close()).toBe(1000);
    await accepted(await UnitySocket.open(page, address, token));
  });

  it("passes over a message without bytes, and over text, to what comes after", async () => {
    await page.routeWebSocket("ws://server.test/v1/interact", (socket) => {
      for (const message of ["text", Buffer.alloc(0), Buffer.of(1, 2)]) socket.send(message);
    });
    const socket = await UnitySocket.open(page, "ws://server.test/v1/interact");
    expect(await socket.take()).toEqual(Uint8Array.of(1, 2));
  });

  it.each([
    ["none", "", "NO_TOKEN"],
    ["a wrong one", "guessed", "BAD_TOKEN"],
  ])("ends with UNAUTHENTICATED where the token is %s", async (_, given, reason) => {
    const { error, closing } = await ending(await UnitySocket.open(page, address, given));
    expect(error.reason).toBe(reason);
    expect(closing).toEqual({ code: UNAUTHENTICATED, reason: error.message.slice(0, MOST_REASON) });
  });

  it.each([
    ["is no address", "ws://", ""],
    ["has nobody listening", "ws://127.0.0.1:1/v1/interact", ""],
    ["is right, but the token can be sent by no browser", "", "two words"],
  ])("is closed at once where the address %s", async (_, wrong, given) => {
    const socket = await UnitySocket.open(page, wrong || address, given);
    expect(await socket.settled()).toBe(2);
    expect((await socket.closing()).code).toBe(1006);
    expect(await socket.take()).toBeNull();
    expect(await socket.send(new Uint8Array(1))).toBe(0);
  });
});
