/** Connections that move, in messages that are bounded: by descriptors, which the kernel counts, and by bytes. */
import { type MovedConnection, descriptorsOf } from "../../../shared/protocol/moved-connection.ts";
import { connectionsPerMessage } from "./move-messages.ts";
import { type WireConnection, connectionBytesMax, toWire } from "./wire-connection.ts";

/** What they take to tell; a frame has room for it, and for what stands around it. */
const batchBytesMax = 96 * 1024;

export interface Batch {
  readonly connections: MovedConnection[];
  /** The same, in the same order. */
  readonly told: WireConnection[];
}

/** `kept`: those that are too long to be told of. */
export function batchesOf(connections: readonly MovedConnection[]): {
  readonly batches: readonly Batch[];
  readonly kept: MovedConnection[];
} {
  const batches: Batch[] = [];
  const kept: MovedConnection[] = [];
  let room = { descriptors: 0, bytes: 0 };
  for (const moved of connections) {
    const wire = toWire(moved);
    const bytes = Buffer.byteLength(JSON.stringify(wire));
    if (bytes > connectionBytesMax) {
      kept.push(moved);
      continue;
    }
    const { length } = descriptorsOf(moved);
    if (length > room.descriptors || bytes > room.bytes) {
      batches.push({ connections: [], told: [] });
      room = { descriptors: connectionsPerMessage, bytes: batchBytesMax };
    }
    room.descriptors -= length;
    room.bytes -= bytes;
    batches.at(-1)?.connections.push(moved);
    batches.at(-1)?.told.push(wire);
  }
  return { batches, kept };
}
