/**
 * The new process's side of connections that move: it looks at each before it takes it, says so, and serves it only then.
 * What it cannot serve (a cluster or a host that it does not know) stays with the old process.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { Clock } from "../../../shared/common/clock.ts";
import type { DescriptorStream } from "../../../shared/io/descriptor-stream.ts";
import { closeDescriptors } from "../../../shared/io/descriptor-socket.ts";
import { type MovedConnection, descriptorsOf } from "../../../shared/protocol/moved-connection.ts";
import { encodeMessage } from "../handover/messages.ts";
import type { ElderListener } from "../reports/elder-listener.ts";
import { sendAll } from "../patient-sender.ts";
import { readAddress } from "../socket-names.ts";
import {
  type ListenerMark,
  type MoveMessage,
  marksPerMessage,
  movesVersion,
} from "./move-messages.ts";
import { type WireConnection, fromWire } from "./wire-connection.ts";

/** This process, once it serves. */
export interface TakenService {
  readonly marks: readonly ListenerMark[];
  /** Of each whether it could serve it on. */
  canServe(address: SocketAddress, connections: readonly MovedConnection[]): readonly boolean[];
  /** Of the old process, as if they had been accepted here. Resolves when workers have them. */
  adopt(address: SocketAddress, connections: readonly MovedConnection[]): Promise<void>;
  /** Hears what the old process tells of itself. */
  readonly elder: ElderListener;
}

type Connections = Extract<MoveMessage, { kind: "connections" }>;

export class ConnectionReceiver {
  readonly #stream: DescriptorStream;
  readonly #clock: Clock;
  readonly #service: TakenService;
  #adopted: Promise<void> = Promise.resolve();

  constructor(stream: DescriptorStream, clock: Clock, service: TakenService) {
    this.#stream = stream;
    this.#clock = clock;
    this.#service = service;
  }

  /** Says whose connections this process serves on. */
  async mark(): Promise<void> {
    const { marks } = this.#service;
    for (let at = 0; at === 0 || at < marks.length; at += marksPerMessage) {
      const listeners = marks.slice(at, at + marksPerMessage);
      const isLast = at + marksPerMessage >= marks.length;
      const accepts = { kind: "accepts", version: movesVersion, listeners, isLast } as const;
      if ((await this.#send(accepts)) !== 0) return;
    }
  }

  /** `descriptors`: all that came with the message; they are this one's. */
  async receive(message: Connections, descriptors: readonly number[]): Promise<void> {
    // The old process sends the next batch when this one is taken: so workers have one at a time to do.
    await this.#adopted;
    const address = readAddress(message.address);
    const read = readConnections(message.connections, descriptors);
    const isServed = address && read ? this.#service.canServe(address, read) : [];
    const refused = message.connections.flatMap((_, i) => (isServed[i] === true ? [] : [i]));
    // Before anything is read of them: an old process that does not hear of it has them still.
    const error = await this.#send({ kind: "taken", batch: message.batch, refused });
    const taken = error === 0 ? (read?.filter((_, i) => isServed[i] === true) ?? []) : [];
    const kept = new Set(taken.flatMap(descriptorsOf));
    closeDescriptors(descriptors.filter((each) => !kept.has(each)));
    if (address && taken.length > 0) this.#adopted = this.#service.adopt(address, taken);
  }

  #send(message: MoveMessage): Promise<number> {
    return sendAll(this.#stream, encodeMessage(message), [], this.#clock);
  }
}

/** Undefined: one has no address, or there are more or fewer descriptors than they take (recvmsg(2): out of them). */
function readConnections(
  connections: readonly WireConnection[],
  descriptors: readonly number[],
): readonly MovedConnection[] | undefined {
  const needed = connections.reduce((sum, { kind }) => sum + (kind === "idle" ? 1 : 2), 0);
  if (needed !== descriptors.length) return undefined;
  const rest = descriptors.values();
  const next = (): number => rest.next().value ?? -1;
  const read = connections.flatMap((wire) => fromWire(wire, next) ?? []);
  return read.length === connections.length ? read : undefined;
}
