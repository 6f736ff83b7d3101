/**
 * Where log lines go: standard error or `--log-path`. Written synchronously, so that a line is out
 * before the process dies of what it says; a full pipe loses the line, counted, rather than stopping the process.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { LogRecord } from "../../shared/common/log.ts";
import type { FormatLine } from "./log-format.ts";

const standardError = 2;

export class LogSink implements Disposable {
  readonly #format: FormatLine;
  readonly #path: string;
  #descriptor: number;
  #dropped = 0;

  /** `path` empty: standard error. Throws where the file cannot be opened. */
  constructor(format: FormatLine, path: string) {
    this.#format = format;
    this.#path = path;
    this.#descriptor = path === "" ? standardError : openSync(path, "a", 0o644);
  }

  /** Lines that could not be written. */
  get droppedCount(): number {
    return this.#dropped;
  }

  readonly write = (record: LogRecord): void => {
    try {
      writeSync(this.#descriptor, this.#format(record));
    } catch {
      // EAGAIN of a full pipe, ENOSPC of a full disk: nowhere to say so but the count.
      this.#dropped++;
    }
  };

  /** After a rotation (SIGUSR1): goes on in the file that has the name now. Throws as the constructor does. */
  reopen(): void {
    if (this.#path === "") return;
    const opened = openSync(this.#path, "a", 0o644);
    closeSync(this.#descriptor);
    this.#descriptor = opened;
  }

  [Symbol.dispose](): void {
    if (this.#path !== "") closeSync(this.#descriptor);
    this.#descriptor = standardError;
  }
}
