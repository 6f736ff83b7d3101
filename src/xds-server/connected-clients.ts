/** Every client that is connected: what it asked for, what it was sent, what it said, and who waits for it to speak. */
import type { Clock } from "../shared/common/clock.ts";
import type { Random } from "../shared/common/random.ts";
import { ClientStream, type StreamWire } from "./client-stream.ts";
import type { OpenedStream, StreamReader } from "./discovery-endpoint.ts";
import type { FaultBook } from "./faults/fault-book.ts";
import { servedTypeOf } from "./resource-types.ts";
import type { ClientNode, ResourcesFor, Session, TypeStatus } from "./session.ts";
import type { Answer, Verdict } from "./verdict.ts";

/** How one client took the resources of one type. */
export interface ClientVerdict {
  readonly nodeId: string;
  readonly typeUrl: string;
  readonly verdict: Verdict;
}

export interface ClientStatus {
  readonly node: ClientNode;
  readonly isDelta: boolean;
  readonly types: readonly TypeStatus[];
}

export interface ConnectedClientsOptions {
  readonly resourcesFor: ResourcesFor;
  readonly faults: FaultBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (line: string) => void;
}

export class ConnectedClients {
  readonly #options: ConnectedClientsOptions;
  readonly #streams = new Map<ClientStream, StreamWire>();
  #waiting: (() => void)[] = [];
  #seen = 0;

  constructor(options: ConnectedClientsOptions) {
    this.#options = options;
  }

  /** Streams that were ever opened. */
  get seen(): number {
    return this.#seen;
  }

  get count(): number {
    return this.#streams.size;
  }

  opened({ makeSession, typeUrl, wire }: OpenedStream): StreamReader {
    const { resourcesFor, faults, clock, random, log } = this.#options;
    const session = makeSession({ resourcesFor, typeUrl });
    const answered = this.#onAnswer.bind(this);
    const stream = new ClientStream({ session, wire, faults, clock, random, answered });
    this.#streams.set(stream, wire);
    this.#seen++;
    this.announce();
    return {
      received: (message) => {
        stream.receive(message);
        this.announce();
      },
      closed: () => {
        this.#streams.delete(stream);
        stream[Symbol.dispose]();
        log(`${nameOf(session)} is gone`);
        this.announce();
      },
    };
  }

  /** After resources changed: sends the difference to every client. */
  push(): void {
    for (const stream of this.#streams.keys()) stream.push();
    this.announce();
  }

  heartbeat(): void {
    for (const stream of this.#streams.keys()) stream.heartbeat();
  }

  /** Ends every stream with a status; clients have to come back. */
  endAll(code: number, details: string): void {
    for (const wire of this.#streams.values()) wire.end(code, details);
  }

  /** Bytes of the caller's choice, to every client. */
  sendRaw(message: Buffer): void {
    for (const wire of this.#streams.values()) wire.send(message);
  }

  /** What every client last said, by client and type. */
  verdicts(): readonly ClientVerdict[] {
    return this.#sessions().flatMap((session) =>
      session.status().map(({ typeUrl, verdict }) => ({
        nodeId: session.node.id,
        typeUrl,
        verdict,
      })),
    );
  }

  status(): readonly ClientStatus[] {
    return this.#sessions().map((session) => ({
      node: session.node,
      isDelta: session.isDelta,
      types: session.status(),
    }));
  }

  /** Settles when a client comes, goes or says something, or resources change. */
  nextEvent(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  announce(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #sessions(): readonly Session[] {
    return [...this.#streams.keys()].map(({ session }) => session);
  }

  #onAnswer(session: Session, typeUrl: string, answer: Answer): void {
    const { shortName } = servedTypeOf(typeUrl);
    const { log } = this.#options;
    if (answer.kind === "acked") log(`${nameOf(session)} ACK ${shortName} ${answer.version}`);
    else log(`${nameOf(session)} NACK ${shortName} ${answer.version}: ${answer.error}`);
  }
}

function nameOf({ node }: Session): string {
  return node.id === "" ? "a client" : node.id;
}
