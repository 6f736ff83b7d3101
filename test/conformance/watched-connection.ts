import { HttpClient } from "../support/http-peers.ts";
import type { Place } from "./resources.ts";

/** When something came about, told by the drain time that runs: wide enough for a machine that is busy. */
export type Moment = "before the deadline" | "at the deadline";

export function momentOf(elapsedMs: number, drainTimeMs: number): Moment {
  // A proxy's drain starts after our clock: at its deadline more than its time has passed here.
  return elapsedMs < 0.95 * drainTimeMs ? "before the deadline" : "at the deadline";
}

/** One connection of a client, and how it ended for it. */
export class WatchedConnection extends HttpClient implements Disposable {
  /** By `performance.now()`; undefined while it is open. */
  endedAtMs: number | undefined = undefined;

  constructor({ host, port }: Place, from: string) {
    super(port, host, from);
    const end = (): void => void (this.endedAtMs ??= performance.now());
    for (const event of ["end", "error", "close"]) this.socket.on(event, end);
    // As ordinary clients do.
    this.socket.on("end", () => this.socket.end());
  }

  /** `FIN` is an orderly end; everything else by its error. */
  get ending(): string {
    if (this.error === "ECONNREFUSED") return "refused";
    if (this.error !== undefined) return this.error === "ECONNRESET" ? "RST" : this.error;
    return this.endedAtMs === undefined ? "open" : "FIN";
  }

  /** `FIN at the deadline`: how it ended, and when of a drain that began at `sinceMs`. */
  async endedWithin(sinceMs: number, drainTimeMs: number): Promise<string> {
    await this.ended();
    return `${this.ending} ${momentOf((this.endedAtMs ?? 0) - sinceMs, drainTimeMs)}`;
  }

  /** Status, `close` where the response says so, body: `200 close blue`. Or how it ended without one. */
  async ask(path = "/", fields: readonly string[] = []): Promise<string> {
    return this.answer(this.get(path, fields));
  }

  /** As a client that leaves once it is told to: who sent FIN first is then of no account. */
  async askAndLeave(): Promise<string> {
    const answer = await this.ask();
    if (answer.includes(" close")) this.socket.end();
    return answer;
  }

  /** Asks again and again, until an answer is the last one. */
  async askUntilClose(): Promise<string> {
    for (;;) {
      const answer = await this.ask();
      if (!answer.startsWith("200") || answer.includes(" close")) return answer;
      await new Promise((resolve) => {
        setTimeout(resolve, 30);
      });
    }
  }

  /** Where the request may cross the proxy's end: then the kernel answers with RST, else FIN is seen. */
  async isServed(): Promise<boolean> {
    return !["FIN", "RST"].includes(await this.ask());
  }

  /** The same of a request that was sent before. */
  async answer(response: ReturnType<HttpClient["response"]> = this.response()): Promise<string> {
    try {
      const { status, headers, body } = await response;
      const close = headers["connection"] === "close" ? ["close"] : [];
      return [status, ...close, body.trim()].join(" ").trim();
    } catch {
      return this.ending;
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
