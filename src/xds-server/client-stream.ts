/**
 * A session on a wire: what it decides goes through the faults that are set, and out in order. A response that is
 * late holds back those behind it, as it would on a slow server.
 */
import { messageOf } from "../shared/common/errors.ts";
import type { Clock } from "../shared/common/clock.ts";
import type { Random } from "../shared/common/random.ts";
import { afflict, type Outgoing } from "./faults/afflict.ts";
import type { FaultBook } from "./faults/fault-book.ts";
import type { StreamMemory } from "./faults/item.ts";
import type { PlannedResponse } from "./planned-response.ts";
import type { Session } from "./session.ts";
import type { Answer } from "./verdict.ts";

/** The far side of a stream. gRPC, or a test. */
export interface StreamWire {
  send(message: Buffer): void;
  end(code: number, details: string): void;
  /** The connection, without a word. */
  reset(): void;
  /** On every connection: the client is to open another. */
  goAway(): void;
}

export interface ClientStreamOptions {
  readonly session: Session;
  readonly wire: StreamWire;
  readonly faults: FaultBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly answered: (session: Session, typeUrl: string, answer: Answer) => void;
}

/** Of messages and acts that wait behind a late one. */
const queuedMax = 20_000;

const invalidArgument = 3;
const resourceExhausted = 8;

export class ClientStream implements Disposable {
  readonly #options: ClientStreamOptions;
  readonly #memory: StreamMemory;
  #queue: Outgoing[] = [];
  /** To go after the next response. */
  #held: readonly Outgoing[] = [];
  #timer: Disposable | undefined;
  #isDead = false;

  constructor(options: ClientStreamOptions) {
    this.#options = options;
    const { session } = options;
    this.#memory = {
      lastNonce: "",
      freshNonce: () => session.freshNonce(),
      again: (planned) => session.again(planned),
      asked: (typeUrl) => session.verdictOn(typeUrl) !== undefined,
    };
  }

  get session(): Session {
    return this.#options.session;
  }

  receive(message: Uint8Array): void {
    if (this.#isDead) return;
    const { session, wire, answered } = this.#options;
    try {
      const { typeUrl, answer, responses } = session.receive(message);
      if (answer) answered(session, typeUrl, answer);
      this.#respond(responses);
    } catch (thrown) {
      wire.end(invalidArgument, messageOf(thrown));
    }
  }

  /** After resources changed. */
  push(): void {
    this.#respond(this.session.push());
  }

  heartbeat(): void {
    this.#respond(this.session.heartbeat());
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#queue = [];
    this.#isDead = true;
  }

  #respond(responses: readonly PlannedResponse[]): void {
    const { faults, random, session, wire } = this.#options;
    const context = { memory: this.#memory, random };
    for (const planned of responses) {
      const met = faults.take(planned.typeUrl, session.node.id);
      const { outgoing, held } = afflict(planned, met, this.#held, context);
      this.#queue.push(...outgoing);
      this.#held = held;
    }
    if (this.#queue.length > queuedMax) {
      this.#queue = [];
      wire.end(resourceExhausted, `more than ${queuedMax} responses wait to be sent`);
    }
    if (!this.#timer) this.#drain();
  }

  #drain(): void {
    for (let next = this.#queue.shift(); next && !this.#isDead; next = this.#queue.shift()) {
      if (next.kind === "message" && next.delayMs > 0) return this.#wait(next);
      this.#act(next);
    }
  }

  #wait(late: Extract<Outgoing, { kind: "message" }>): void {
    this.#timer = this.#options.clock.startTimer(late.delayMs, () => {
      this.#timer = undefined;
      this.#act(late);
      this.#drain();
    });
  }

  #act(next: Outgoing): void {
    const { wire } = this.#options;
    if (next.kind === "message") wire.send(next.bytes);
    else if (next.kind === "end") wire.end(next.code, next.details);
    else if (next.kind === "reset") wire.reset();
    else if (next.kind === "goaway") wire.goAway();
    else this.#isDead = true;
  }
}
