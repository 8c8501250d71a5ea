// One WebSocket to the gateway: requests out, responses in, and how it ended. Each binary message is
// one protobuf message; an `error` part comes before a close with 4000 + status. Knows the wire;
// neither what the messages mean to a session nor when to connect again.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { StreamInteractionRequestSchema, StreamInteractionResponseSchema } from "../gen/contrapose/v1/interaction_pb";
import type { StreamInteractionResponse } from "../gen/contrapose/v1/interaction_pb";

export const SUBPROTOCOL = "contrapose.v1";
/** Close codes of ours are this much above the statuses of gRPC. */
const STATUS_BASE = 4000;
/** Bytes not yet sent at which poses are left out: the network takes no more for now. */
const MOST_WAITING = 65_536;

export type Part = NonNullable<MessageInitShape<typeof StreamInteractionRequestSchema>["part"]>;
export type Received = StreamInteractionResponse["part"];

export interface Ending {
  /** A status of gRPC, by name: "UNAVAILABLE" also for a connection that broke. */
  readonly status: string;
  readonly message: string;
  /** A word that never changes: "RESUME_EXPIRED"; empty where nobody foresaw the error. */
  readonly reason: string;
  readonly field: string;
  /** Seconds after which to try again; null: that would not help. */
  readonly retrySeconds: number | null;
}

const STATUSES = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
  "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
  "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
] as const;

export class Connection {
  readonly #socket: WebSocket;
  #error: Pick<Ending, "message" | "reason" | "field" | "retrySeconds"> | null = null;

  constructor(
    address: string,
    token: string,
    private readonly on: {
      open: () => void;
      received: (part: Received) => void;
      ended: (ending: Ending) => void;
    },
  ) {
    const protocols = token ? [SUBPROTOCOL, tokenProtocol(token)] : [SUBPROTOCOL];
    this.#socket = new WebSocket(address, protocols);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = this.on.open;
    this.#socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      this.#receive(fromBinary(StreamInteractionResponseSchema, new Uint8Array(event.data)));
    };
    this.#socket.onclose = (event) => {
      this.on.ended(this.#ending(event.code, event.reason));
    };
  }

  /** Whether it was handed to the socket; poses are left out while the network takes no more. */
  send(part: Part): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    if (part.case === "pose" && this.#socket.bufferedAmount > MOST_WAITING) return false;
    const request = create(StreamInteractionRequestSchema, { part });
    this.#socket.send(toBinary(StreamInteractionRequestSchema, request));
    return true;
  }

  /** Ends it from this side; nothing more is heard of it. */
  close(): void {
    this.#socket.onclose = this.#socket.onmessage = this.#socket.onopen = null;
    this.#socket.close(1000);
  }

  #receive(response: StreamInteractionResponse): void {
    if (response.part.case === "error") {
      const { message, reason, field, retryAfter } = response.part.value;
      this.#error = { message, reason, field, retrySeconds: retryAfter ?? null };
    } else {
      this.on.received(response.part);
    }
  }

  #ending(code: number, reason: string): Ending {
    const isOurs = code >= STATUS_BASE && code < STATUS_BASE + STATUSES.length;
    const status = code === 1000 ? "OK" : isOurs ? STATUSES[code - STATUS_BASE]! : "UNAVAILABLE";
    return {
      status,
      message: this.#error?.message ?? (reason || "the connection broke"),
      reason: this.#error?.reason ?? "",
      field: this.#error?.field ?? "",
      retrySeconds: this.#error?.retrySeconds ?? null,
    };
  }
}

function tokenProtocol(token: string): string {
  return `contrapose.bearer.${token}`;
}
