/**
 * What goes over listen.sock: frames of four bytes of length (big-endian) and JSON, the descriptors with the first byte of
 * the frame that names them. Read from a peer that may be anyone of the same user: all is checked, all is bounded.
 */
import { type JsonRecord, isCount, isRecord } from "../json-checks.ts";
import { type ReportMessage, decodeReport } from "../reports/report-messages.ts";
import { type MoveMessage, decodeMove } from "../moves/move-messages.ts";

export const handoverVersion = 1;
/** Sockets in one frame; MOSN refuses more than 100 in all. */
export const socketsPerFrame = 200;
/** No proxy listens on more. */
export const socketsMax = 100_000;

const lengthBytes = 4;
/** Two hundred of the longest paths, all escaped, or `batchBytesMax` of connections. */
const frameBytesMax = 128 * 1024;

/** A listening socket that is handed over. */
export interface PassedSocket {
  /** `tcp://127.0.0.1:80`, `unix:///path`. */
  readonly address: string;
  /** Whose it was; 0 where there is one for all. */
  readonly worker: number;
  readonly role: "proxy" | "admin";
}

export type HandoverMessage =
  | {
      readonly kind: "sockets";
      readonly version: number;
      /** Of all frames together. */
      readonly total: number;
      readonly sockets: readonly PassedSocket[];
    }
  | MoveMessage
  | ReportMessage
  /** The directory is the new process's, and what was opened by name alone is free. */
  | { readonly kind: "released" }
  /** The new process is being taken over from in turn: the old one takes nothing back any more. */
  | { readonly kind: "succeeded" };

export function encodeMessage(message: HandoverMessage): Uint8Array {
  const json = Buffer.from(JSON.stringify(message), "utf8");
  const frame = Buffer.alloc(lengthBytes + json.length);
  frame.writeUInt32BE(json.length, 0);
  frame.set(json, lengthBytes);
  return frame;
}

export type MessagesRead =
  | { readonly ok: true; readonly messages: readonly HandoverMessage[] }
  | { readonly ok: false; readonly reason: string };

/** After garbage it is of no use any more. */
export class MessageReader {
  #bytes: Buffer = Buffer.alloc(0);

  read(piece: Uint8Array): MessagesRead {
    this.#bytes = Buffer.concat([this.#bytes, piece]);
    const messages: HandoverMessage[] = [];
    while (this.#bytes.length >= lengthBytes) {
      const length = this.#bytes.readUInt32BE(0);
      if (length > frameBytesMax)
        return { ok: false, reason: `a frame of ${length} bytes is too long` };
      if (this.#bytes.length < lengthBytes + length) break;
      const message = decode(this.#bytes.subarray(lengthBytes, lengthBytes + length));
      if (typeof message === "string") return { ok: false, reason: message };
      messages.push(message);
      this.#bytes = this.#bytes.subarray(lengthBytes + length);
    }
    return { ok: true, messages };
  }
}

function decode(bytes: Buffer): HandoverMessage | string {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    return "a frame is no JSON";
  }
  if (!isRecord(value)) return "a frame is no message";
  switch (value["kind"]) {
    case "released":
      return { kind: "released" };
    case "succeeded":
      return { kind: "succeeded" };
    case "sockets":
      return decodeSockets(value);
    default:
      return decodeMove(value) ?? decodeReport(value) ?? "a frame is of no known kind";
  }
}

function decodeSockets({ version, total, sockets }: JsonRecord): HandoverMessage | string {
  if (version !== handoverVersion)
    return `it speaks version ${String(version)} of the hand-over, this process ${handoverVersion}`;
  if (!isCount(total, socketsMax)) return "total: no number of sockets";
  if (!Array.isArray(sockets) || sockets.length > socketsPerFrame) return "sockets: no short list";
  const passed = sockets.filter(isPassedSocket);
  if (passed.length < sockets.length) return "sockets: one has no address, worker or role";
  return { kind: "sockets", version, total, sockets: passed };
}

function isPassedSocket(value: unknown): value is PassedSocket {
  if (!isRecord(value)) return false;
  const { address, worker, role } = value;
  return (
    typeof address === "string" && isCount(worker, 255) && (role === "proxy" || role === "admin")
  );
}
