// What the page asks of its own server besides the session: who it is, and the body.
// Knows addresses; the token is behind the address's "#", so that no log of any server sees it.

import { fromJson } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import { GetServerInfoResponseSchema } from "./gen/contrapose/v1/server_info_pb";
import type { GetServerInfoResponse } from "./gen/contrapose/v1/server_info_pb";

export const TOKEN = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";

export function sessionAddress(): string {
  const address = new URL("v1/interact", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.search = address.hash = "";
  return address.href;
}

/** What the server is and may do; null: it does not tell. */
export async function serverInfo(): Promise<GetServerInfoResponse | null> {
  const answer = await ask("v1/info");
  if (!answer.ok) return null;
  const told = (await answer.json()) as JsonValue;
  return fromJson(GetServerInfoResponseSchema, told, { ignoreUnknownFields: true });
}

/** A file of the server as bytes. Throws Error that says what to do. */
export async function fetched(path: string): Promise<ArrayBuffer> {
  const answer = await ask(path);
  if (answer.ok) return answer.arrayBuffer();
  const hint = answer.status === 401 ? "; open the address that `contrapose view` prints" : "";
  throw new Error(`${path}: the server answers ${answer.status}${hint}`);
}

async function ask(path: string): Promise<Response> {
  const headers: HeadersInit = TOKEN ? { authorization: `Bearer ${TOKEN}` } : {};
  return fetch(new URL(path, document.baseURI), { headers });
}
