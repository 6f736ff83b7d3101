/**
 * As `http2-crowd.ts`, by Node's own client (nghttp2): what an ordinary program sees of GOAWAY, and of streams that come to
 * nothing.
 */
import http2, { type ClientHttp2Session } from "node:http2";
import type { CrowdOptions } from "./http2-crowd.ts";

export class LibraryCrowd implements AsyncDisposable {
  /** Responses with status 200 that came whole. */
  answered = 0;
  /** What went wrong, by how often. */
  readonly failures = new Map<string, number>();
  /** Connections that were told to go. */
  told = 0;
  /** Streams under way. */
  open = 0;
  readonly #url: string;
  readonly #streams: number;
  readonly #sessions = new Set<ClientHttp2Session>();
  /** Before the proxy has said a word no stream was accepted. */
  readonly #heard = new WeakSet<ClientHttp2Session>();
  #isStopped = false;

  constructor(port: number, { connections, streams }: CrowdOptions) {
    this.#url = `http://127.0.0.1:${port}`;
    this.#streams = streams;
    for (let i = 0; i < connections; i++) this.#dial();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    for (const session of this.#sessions) session.destroy();
    await Promise.resolve();
  }

  #dial(): void {
    if (this.#isStopped) return;
    const session = http2.connect(this.#url);
    let open = 0;
    let isGoing = false;
    const fill = (): void => {
      while (!isGoing && !this.#isStopped && open < this.#streams) {
        open++;
        this.#ask(session, () => {
          open--;
          fill();
        });
      }
    };
    this.#sessions.add(session);
    session.once("connect", fill);
    session.once("remoteSettings", () => this.#heard.add(session));
    session.on("goaway", (code) => {
      if (code !== 0) this.#failed(`GOAWAY ${code}`);
      if (isGoing) return;
      isGoing = true;
      this.told++;
      this.#dial();
    });
    session.on("error", () => {});
    session.on("close", () => {
      this.#sessions.delete(session);
      const hasHeard = this.#heard.has(session);
      if (hasHeard && !isGoing) this.#failed("an end without GOAWAY");
      // A refusal costs no time: without a turn of the loop nothing else would get any.
      if (!isGoing) setTimeout(() => this.#dial(), 5);
      isGoing = true;
    });
  }

  #ask(session: ClientHttp2Session, onOver: () => void): void {
    const stream = session.request({ ":path": "/" });
    let status: number | undefined;
    // The library sends none behind a GOAWAY that came meanwhile.
    let isSent = true;
    this.open++;
    stream.on("frameError", () => (isSent = false));
    stream.on("response", (headers) => (status = headers[":status"]));
    stream.on("error", () => {});
    stream.on("close", () => {
      this.open--;
      if (status === 200 && stream.rstCode === 0) this.answered++;
      else if (isSent && this.#heard.has(session))
        this.#failed(`status ${status}, reset by ${stream.rstCode}`);
      onOver();
    });
    stream.resume();
  }

  #failed(what: string): void {
    this.failures.set(what, (this.failures.get(what) ?? 0) + 1);
  }
}
