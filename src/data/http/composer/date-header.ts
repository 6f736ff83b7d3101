/** The `date` line, made once a second. */
import type { Clock } from "../../../shared/common/clock.ts";
import { latin1 } from "../http1/ascii.ts";

export class DateHeader {
  readonly #clock: Clock;
  #line: Uint8Array = new Uint8Array(0);
  #validUntilMs = -1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `date: …` CRLF; `nowMs` is the reactor's time. */
  line(nowMs: number): Uint8Array {
    if (nowMs >= this.#validUntilMs) {
      const wallMs = this.#clock.wallTime();
      this.#line = latin1(`date: ${new Date(wallMs).toUTCString()}\r\n`);
      this.#validUntilMs = nowMs + 1000 - (wallMs % 1000);
    }
    return this.#line;
  }
}
