/**
 * Where lines go: a buffer in front of one descriptor, written by libuv's threads. The worker never
 * waits for a disk or a full pipe; at the bound lines are dropped and counted.
 */
import { close, open, write } from "node:fs";
import type { Clock } from "../../../shared/common/clock.ts";

/** Most bytes that wait for one sink, those being written included. */
export const sinkBytesMax = 16 * 1024 * 1024;

export type SinkTarget =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "descriptor"; readonly descriptor: number };

export interface SinkOptions {
  readonly clock: Clock;
  /** Flushes this long after the first line at the latest. */
  readonly flushIntervalMs: number;
  /** Flushes at once from this many bytes on. */
  readonly flushMinBytes: number;
  /** Called for every line that found no room, and for those lost to an error of writing. */
  readonly onDropped: (lines: number) => void;
  readonly onError: (message: string) => void;
}

export class LogSink implements Disposable {
  readonly #target: SinkTarget;
  readonly #options: SinkOptions;
  #descriptor: number | undefined;
  #waiting = "";
  #waitingLines = 0;
  #writingBytes = 0;
  #flushTimer: Disposable | undefined;
  /** Opening or writing is under way; its end goes on with what waits. */
  #isBusy = false;
  /** A flush was asked for while busy: it follows at once. */
  #isFlushWanted = false;
  #isDisposed = false;

  constructor(target: SinkTarget, options: SinkOptions) {
    this.#target = target;
    this.#options = options;
    if (target.kind === "descriptor") this.#descriptor = target.descriptor;
  }

  /** Takes a line of latin1 characters. */
  append(line: string): void {
    if (this.#waiting.length + this.#writingBytes + line.length > sinkBytesMax) {
      this.#options.onDropped(1);
      return;
    }
    this.#waiting += line;
    this.#waitingLines++;
    if (this.#waiting.length >= this.#options.flushMinBytes) this.flush();
    else this.#flushTimer ??= this.#startTimer();
  }

  flush(): void {
    this.#flushTimer?.[Symbol.dispose]();
    this.#flushTimer = undefined;
    this.#isFlushWanted = this.#isBusy;
    if (this.#isBusy || this.#waiting === "") return;
    if (this.#descriptor === undefined) this.#open();
    else this.#write(this.#descriptor);
  }

  /** Opens the path anew at the next flush: log rotation moved the file away. */
  reopen(): void {
    if (this.#target.kind === "descriptor" || this.#descriptor === undefined) return;
    // A write under way keeps the old descriptor until it ends; closing waits its turn in the pool.
    const old = this.#descriptor;
    this.#descriptor = undefined;
    if (!this.#isBusy) close(old, () => undefined);
  }

  /** Writes what waits, then closes. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.flush();
    if (!this.#isBusy) this.#closeFile();
  }

  #startTimer(): Disposable {
    return this.#options.clock.startTimer(this.#options.flushIntervalMs, () => this.flush());
  }

  #open(): void {
    if (this.#target.kind !== "file") return;
    this.#isBusy = true;
    open(this.#target.path, "a", (error, descriptor) => {
      this.#isBusy = false;
      if (error) {
        this.#lose(error.message);
        return;
      }
      this.#descriptor = descriptor;
      this.flush();
    });
  }

  #write(descriptor: number): void {
    const bytes = Buffer.from(this.#waiting, "latin1");
    const lines = this.#waitingLines;
    this.#waiting = "";
    this.#waitingLines = 0;
    this.#isBusy = true;
    this.#writeFrom(descriptor, bytes, lines);
  }

  /** Goes on until everything is written: a pipe may take less than it was given. */
  #writeFrom(descriptor: number, bytes: Buffer, lines: number): void {
    this.#writingBytes = bytes.length;
    write(descriptor, bytes, (error, written) => {
      if (error === null && written < bytes.length) {
        this.#writeFrom(descriptor, bytes.subarray(written), lines);
        return;
      }
      this.#writingBytes = 0;
      this.#isBusy = false;
      if (error !== null) {
        this.#options.onDropped(lines);
        this.#options.onError(error.message);
      }
      if (this.#target.kind === "file" && this.#descriptor !== descriptor) {
        close(descriptor, () => undefined);
      }
      this.#goOn();
    });
  }

  #goOn(): void {
    if (this.#isDisposed && this.#waiting === "") this.#closeFile();
    else if (this.#isDisposed || this.#isFlushWanted) this.flush();
    else if (this.#waiting.length >= this.#options.flushMinBytes) this.flush();
    else if (this.#waiting !== "") this.#flushTimer ??= this.#startTimer();
  }

  #lose(message: string): void {
    this.#options.onDropped(this.#waitingLines);
    this.#options.onError(message);
    this.#waiting = "";
    this.#waitingLines = 0;
  }

  #closeFile(): void {
    if (this.#target.kind === "file" && this.#descriptor !== undefined) {
      close(this.#descriptor, () => undefined);
    }
    this.#descriptor = undefined;
  }
}
