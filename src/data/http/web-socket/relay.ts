/**
 * A WebSocket whose listener's drain policy says `websocket: close`: bytes pass as they come until its connection is
 * told to drain. Then each end hears a Close of 1001 (RFC 6455 §7.4.1) between two frames, and nothing of the other any
 * more. When both have answered it ends in order, and at the end of the drain's `idle_grace` if they have not.
 *
 *   asked → open → leaving → awaiting → over      awaiting: both have heard
 *     └─→ due ───────↑                            due: told before it was granted
 *
 * One that is open can go on in another process, in the midst of a frame, too: how far it has come goes with it.
 *
 * What a newcomer would get wrong: the bytes that a client sends ahead are the first of its frames, though they go to
 * the host only behind the answer that grants it.
 */
import { type DrainStart, drainPolicyDefaults } from "../../../shared/drain/drain.ts";
import { type SilencePlan, silencePlan } from "../../../shared/drain/drain-decision.ts";
import type { Random } from "../../../shared/common/random.ts";
import type { Reactor } from "../../../shared/io/reactor.ts";
import type { WebSocketProgress } from "../../../shared/protocol/moved-connection.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import { never } from "../deadline-timer.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { WebSocketDirection } from "./direction.ts";

/** Of what the requests of a worker share. */
export interface WebSocketContext {
  readonly reactor: Pick<Reactor, "nowMs" | "arena">;
  readonly writer: HeadWriter;
  readonly worker: { readonly random: Random };
}

/** Both ends, as the request that carries it has them. */
export interface WebSocketEnds {
  toClient(start: number, end: number, isEnd: boolean): void;
  toHost(start: number, end: number, isEnd: boolean): void;
  /** Ask `onDeadline` by then. */
  atLatest(dueMs: number): void;
  /** Both were told, and it is no use to wait for them any longer. */
  onUnanswered(): void;
}

type State =
  | { readonly kind: "asked"; readonly told: SilencePlan | undefined }
  | { readonly kind: "open" }
  | { readonly kind: "due"; readonly atMs: number; readonly told: SilencePlan }
  | { readonly kind: "leaving"; readonly told: SilencePlan }
  | { readonly kind: "awaiting" | "over"; readonly untilMs: number };

const webSocketType = "websocket";
/** FIN and the opcode, the length, and the code. */
const close = Uint8Array.of(0x88, 0x02, 0x03, 0xe9);

/** Of a request that asks for the type, as in `upgrade.ts`; undefined: its bytes are of no interest. */
export function webSocketOf(
  upgradeType: string,
  connection: DownstreamConnection,
  context: WebSocketContext,
  ends: WebSocketEnds,
): WebSocketRelay | undefined {
  const { drainPolicy } = connection.listener;
  if (drainPolicy.webSocket !== "close" || upgradeType.toLowerCase() !== webSocketType)
    return undefined;
  const graceMs = drainPolicy.idleGraceMs ?? drainPolicyDefaults.idleGraceMs;
  const told = connection.isToldToDrain ? { graceMs, endsMs: never } : undefined;
  return new WebSocketRelay(context, ends, told);
}

/** Of one that was open in another process. */
export function movedWebSocket(
  context: WebSocketContext,
  ends: WebSocketEnds,
  progress: WebSocketProgress,
): WebSocketRelay {
  return new WebSocketRelay(context, ends, undefined, progress);
}

export class WebSocketRelay {
  readonly #context: WebSocketContext;
  readonly #ends: WebSocketEnds;
  readonly #toClient: WebSocketDirection;
  readonly #toHost: WebSocketDirection;
  #state: State;

  /** `progress`: of one that is open already. */
  constructor(
    context: WebSocketContext,
    ends: WebSocketEnds,
    told: SilencePlan | undefined,
    progress?: WebSocketProgress,
  ) {
    const { writer, worker } = context;
    this.#context = context;
    this.#ends = ends;
    this.#state = progress ? { kind: "open" } : { kind: "asked", told };
    const client = {
      pass: (start: number, end: number, isEnd: boolean) => ends.toClient(start, end, isEnd),
      sayClose: () => ends.toClient(writer.start, this.#write(close), false),
    };
    const host = {
      pass: (start: number, end: number, isEnd: boolean) => ends.toHost(start, end, isEnd),
      sayClose: () => ends.toHost(writer.start, this.#write(maskedClose(worker.random)), false),
    };
    this.#toClient = new WebSocketDirection(client, progress?.toClient);
    this.#toHost = new WebSocketDirection(host, progress?.toHost);
  }

  /** Undefined: it is not open, or not any more, and has to end here. */
  get progress(): WebSocketProgress | undefined {
    if (this.#state.kind !== "open") return undefined;
    return { toClient: this.#toClient.progress, toHost: this.#toHost.progress };
  }

  get dueMs(): number {
    const state = this.#state;
    switch (state.kind) {
      case "due":
        return state.atMs;
      case "awaiting":
      case "over":
        return state.untilMs;
      case "asked":
      case "open":
      case "leaving":
        return never;
      default:
        return state satisfies never;
    }
  }

  fromClient(start: number, end: number, isEnd: boolean): void {
    this.#toHost.take(this.#bytes, start, end, isEnd);
    this.#proceed();
  }

  fromHost(start: number, end: number, isEnd: boolean): void {
    this.#toClient.take(this.#bytes, start, end, isEnd);
    if (!isEnd) this.#proceed();
  }

  /** arena[start, end) has gone with the head that asks for it. */
  onSent(start: number, end: number): void {
    this.#toHost.passed(this.#bytes, start, end);
  }

  /** The head that grants it goes out, with arena[start, end) of the host's. */
  onGranted(start: number, end: number): void {
    this.#toClient.passed(this.#bytes, start, end);
    if (this.#state.kind !== "asked") return;
    const { told } = this.#state;
    if (told === undefined) return this.#become({ kind: "open" });
    // What was sent ahead goes to the host behind this call.
    this.#become({ kind: "due", atMs: this.#context.reactor.nowMs, told });
  }

  /** Its connection is told. */
  goAway(drain: DrainStart): void {
    const told = silencePlan(drain);
    if (this.#state.kind === "asked") this.#become({ kind: "asked", told });
    else if (this.#state.kind === "open") this.#leave(told);
  }

  onDeadline(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    if (this.#state.kind === "due") return this.#leave(this.#state.told);
    this.#become({ kind: "over", untilMs: never });
    this.#ends.onUnanswered();
  }

  #leave(told: SilencePlan): void {
    this.#become({ kind: "leaving", told });
    this.#toClient.goAway();
    this.#toHost.goAway();
    this.#proceed();
  }

  #proceed(): void {
    if (this.#state.kind === "leaving" && this.#toClient.hasLeft && this.#toHost.hasLeft) {
      const { graceMs, endsMs } = this.#state.told;
      const untilMs = Math.min(this.#context.reactor.nowMs + graceMs, endsMs);
      this.#become({ kind: "awaiting", untilMs });
    }
    if (this.#state.kind !== "awaiting") return;
    if (!this.#toClient.isAnswered || !this.#toHost.isAnswered) return;
    this.#become({ kind: "over", untilMs: this.#state.untilMs });
    // The host ends it then, as servers do (§7.1.1), and with that the answer to the client.
    this.#toHost.end();
  }

  #write(frame: Uint8Array): number {
    const { writer } = this.#context;
    writer.begin();
    writer.put(frame);
    return writer.at;
  }

  #become(state: State): void {
    this.#state = state;
    if (this.dueMs !== never) this.#ends.atLatest(this.dueMs);
  }

  get #bytes(): Uint8Array {
    return this.#context.reactor.arena.bytes;
  }
}

/** What goes to a host is a client's, and so has to be masked with what nobody can guess (§5.3). */
function maskedClose(random: Random): Uint8Array {
  const frame = new Uint8Array(8);
  const [head = 0, length = 0, high = 0, low = 0] = close;
  const key = frame.subarray(2, 6);
  random.fill(key);
  const [first = 0, second = 0] = key;
  frame.set([head, length | 0x80]);
  frame.set([high ^ first, low ^ second], 6);
  return frame;
}
