/**
 * Every kind of client at once, for as long as processes come and go behind an address: connections that are kept, short
 * ones, HTTP/2, a TCP stream and a WebSocket that are to last.
 */
import { Http2Crowd } from "./http2-crowd.ts";
import { LastingStream, webSocketOpening } from "./lasting-stream.ts";
import { SteadyClients } from "./steady-clients.ts";

export interface WholeLoadPorts {
  readonly http: number;
  readonly http2: number;
  /** Undefined: the program has no TCP proxy. */
  readonly tcp: number | undefined;
}

export interface WholeLoadSize {
  readonly kept: number;
  readonly short: number;
  readonly http2: { readonly connections: number; readonly streams: number };
}

/** What went wrong, by how often; without entries nothing did. */
export type Failures = Readonly<Record<string, number>>;

export interface WholeLoadReport {
  readonly answered: { readonly kept: number; readonly short: number; readonly http2: number };
  readonly kept: Failures;
  readonly short: Failures;
  readonly http2: Failures;
  /** Ends of connections that were to last, and bytes that did not come back as they were sent. */
  readonly stream: { readonly cuts: number; readonly wrong: number };
  readonly webSocket: { readonly cuts: number; readonly wrong: number };
}

export class WholeLoad implements AsyncDisposable {
  readonly #owned = new AsyncDisposableStack();
  readonly #kept: SteadyClients;
  readonly #short: SteadyClients;
  readonly #crowd: Http2Crowd;
  readonly #stream: LastingStream | undefined;
  readonly #webSocket: LastingStream;

  constructor({ http, http2, tcp }: WholeLoadPorts, size: WholeLoadSize) {
    const owned = this.#owned;
    this.#kept = owned.use(new SteadyClients(http, size.kept, { keepAlive: true }));
    const short = { keepAlive: false, mayBeRefused: false };
    this.#short = owned.use(new SteadyClients(http, size.short, short));
    this.#crowd = owned.use(new Http2Crowd(http2, size.http2));
    this.#stream = tcp === undefined ? undefined : owned.use(new LastingStream(tcp));
    this.#webSocket = owned.use(new LastingStream(http, { opening: webSocketOpening }));
  }

  /** Answers and echoes of each kind so far, the fewest first: whether all are under way. */
  get progress(): number {
    const echoes = this.#webSocket.echoedBytes + (this.#stream?.echoedBytes ?? 0);
    return Math.min(this.#kept.completed, this.#short.completed, this.#crowd.answered, echoes);
  }

  /** Lets what is under way finish. */
  async stop(): Promise<WholeLoadReport> {
    const crowd = this.#crowd;
    crowd.stop();
    const [kept, short] = await Promise.all([
      this.#kept.stop(),
      this.#short.stop(),
      this.#stream?.stop(),
      this.#webSocket.stop(),
    ]);
    const turnedAway =
      crowd.turnedAway > 0 ? [["a connection that nobody served", crowd.turnedAway] as const] : [];
    return {
      answered: {
        kept: this.#kept.completed,
        short: this.#short.completed,
        http2: crowd.answered,
      },
      kept: counted(kept),
      short: counted(short),
      http2: Object.fromEntries([...crowd.failures, ...turnedAway]),
      stream: damageOf(this.#stream),
      webSocket: damageOf(this.#webSocket),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

function damageOf(stream: LastingStream | undefined): { cuts: number; wrong: number } {
  return { cuts: stream?.cuts ?? 0, wrong: stream?.wrong ?? 0 };
}

function counted(failures: readonly string[]): Failures {
  const counts: Record<string, number> = {};
  for (const each of failures) counts[each] = (counts[each] ?? 0) + 1;
  return counts;
}
