/**
 * Entries of one gRPC access log on one worker, until there are enough of them to be handed to main, or the
 * interval is over (Envoy: `Common::GrpcAccessLogger`). Never waits for main: what finds no room is dropped.
 *
 * Two bounds: what is on its way to main is taken from the worker's budget, shared by all its logs; what main
 * has is main's.
 */
import type { Clock } from "../../../shared/common/clock.ts";
import type { GrpcLogConfig } from "../../../shared/config/access-log-config.ts";
import type { AccessLogBatch, AccessLogEntry } from "../../../shared/protocol/access-log-entry.ts";

/** A larger `buffer_size_bytes` is taken for this: main sends a batch in one go. */
const flushBytesMax = 64 * 1024;

export interface EntryBufferOptions {
  readonly clock: Clock;
  readonly budget: EntryBudget;
  readonly handOver: (batch: AccessLogBatch) => void;
}

export class EntryBuffer implements Disposable {
  readonly #config: GrpcLogConfig;
  readonly #flushMinBytes: number;
  readonly #options: EntryBufferOptions;
  #entries: AccessLogEntry[] = [];
  #bytes = 0;
  #dropped = 0;
  #timer: Disposable | undefined;

  constructor(config: GrpcLogConfig, options: EntryBufferOptions) {
    this.#config = config;
    this.#flushMinBytes = Math.min(config.flushMinBytes, flushBytesMax);
    this.#options = options;
  }

  append(entry: AccessLogEntry, bytes: number): void {
    this.#timer ??= this.#startTimer();
    if (!this.#options.budget.tryTake(bytes)) {
      this.#dropped++;
      return;
    }
    this.#entries.push(entry);
    this.#bytes += bytes;
    if (this.#bytes >= this.#flushMinBytes) this.flush();
  }

  /** Hands over what is there, and how many entries found no room. */
  flush(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#entries.length === 0 && this.#dropped === 0) return;
    this.#options.handOver({
      destination: this.#config.destination,
      bytes: this.#bytes,
      entries: this.#entries,
      dropped: this.#dropped,
    });
    this.#entries = [];
    this.#bytes = 0;
    this.#dropped = 0;
  }

  [Symbol.dispose](): void {
    this.flush();
  }

  #startTimer(): Disposable {
    return this.#options.clock.startTimer(this.#config.flushIntervalMs, () => this.flush());
  }
}

/** Most bytes of entries that one worker has made and main has not taken. */
export const entryBytesMax = 4 * 1024 * 1024;

/** One counter in shared memory: this worker counts up, main counts down. */
export class EntryBudget {
  readonly #counters: Int32Array;
  readonly #index: number;

  constructor(counters: Int32Array, index: number) {
    this.#counters = counters;
    this.#index = index;
  }

  /** Takes nothing and says false when the main thread is so far behind. */
  tryTake(bytes: number): boolean {
    if (Atomics.load(this.#counters, this.#index) + bytes > entryBytesMax) return false;
    Atomics.add(this.#counters, this.#index, bytes);
    return true;
  }
}
