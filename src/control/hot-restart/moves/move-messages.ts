/**
 * What is said of connections that go on in another process. A connection is the old process's until the new one says
 * `taken`, which it does before it serves it; so whichever ends in between, one of them knows that it has it.
 */
import { type JsonRecord, isCount, isRecord } from "../json-checks.ts";
import { type WireConnection, isWireConnection } from "./wire-connection.ts";

/** Of these messages: a process that speaks another version is not given connections. */
export const movesVersion = 2;
/** Of one message: as many descriptors as go at once (`descriptorsPerSendMax`). */
export const connectionsPerMessage = 200;
/** Listeners of one message. */
export const marksPerMessage = 200;

/** A listener at an address; equal hashes mean equal listeners. */
export interface ListenerMark {
  readonly address: string;
  readonly hash: string;
}

export type MoveMessage =
  /** First of all, by epochs: whom one has dialled. */
  | { readonly kind: "hello"; readonly epoch: number }
  /** By epochs, from a new process: all listening sockets, which come as by a directory. */
  | { readonly kind: "wantsSockets" }
  /** Connections of which listeners the new process serves on: of those that are the same there. */
  | {
      readonly kind: "accepts";
      readonly version: number;
      readonly listeners: readonly ListenerMark[];
      readonly isLast: boolean;
    }
  /** Their descriptors come with it, in this order. */
  | {
      readonly kind: "connections";
      readonly batch: number;
      readonly address: string;
      readonly connections: readonly WireConnection[];
    }
  /** All of the batch but those, by their place in it, are the new process's. */
  | { readonly kind: "taken"; readonly batch: number; readonly refused: readonly number[] };

/** A text: why it is no such message. */
export function decodeMove(value: JsonRecord): MoveMessage | string | undefined {
  switch (value["kind"]) {
    case "hello": {
      const { epoch } = value;
      const isEpoch = isCount(epoch, Number.MAX_SAFE_INTEGER);
      return isEpoch ? { kind: "hello", epoch } : "hello: no epoch";
    }
    case "wantsSockets":
      return { kind: "wantsSockets" };
    case "accepts":
      return decodeAccepts(value);
    case "connections":
      return decodeConnections(value);
    case "taken":
      return decodeTaken(value);
    default:
      return undefined;
  }
}

function decodeAccepts({ version, listeners, isLast }: JsonRecord): MoveMessage | string {
  if (!isCount(version, Number.MAX_SAFE_INTEGER)) return "version: no number";
  if (!Array.isArray(listeners) || listeners.length > marksPerMessage)
    return "listeners: no short list";
  const marks = listeners.filter(isListenerMark);
  if (marks.length < listeners.length) return "listeners: one has no address or hash";
  return { kind: "accepts", version, listeners: marks, isLast: isLast === true };
}

function decodeConnections({ batch, address, connections }: JsonRecord): MoveMessage | string {
  if (!isCount(batch, Number.MAX_SAFE_INTEGER) || typeof address !== "string")
    return "connections: no batch or no address";
  if (!Array.isArray(connections) || connections.length > connectionsPerMessage)
    return "connections: no short list";
  const read = connections.filter(isWireConnection);
  if (read.length < connections.length) return "connections: one is not described";
  return { kind: "connections", batch, address, connections: read };
}

function decodeTaken({ batch, refused }: JsonRecord): MoveMessage | string {
  if (!isCount(batch, Number.MAX_SAFE_INTEGER) || !Array.isArray(refused))
    return "taken: no batch or no list";
  const places = refused.filter((place) => isCount(place, connectionsPerMessage - 1));
  if (places.length < refused.length) return "taken: one is no place in a batch";
  return { kind: "taken", batch, refused: places };
}

function isListenerMark(value: unknown): value is ListenerMark {
  return (
    isRecord(value) && typeof value["address"] === "string" && typeof value["hash"] === "string"
  );
}
