import { Agent } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { get } from "./http-client.ts";

export interface SteadyClientsOptions {
  readonly keepAlive: boolean;
  /** Between an answer and the next request. */
  readonly gapMs?: number;
  /** A refused connection is no failure, for nobody promised to listen. By default: where they do not keep theirs. */
  readonly mayBeRefused?: boolean;
}

/**
 * Clients that send one request after another until they are stopped, and remember what went wrong.
 * `keepAlive` clients stay on their connection for as long as the proxy lets them; the others open
 * one for each request.
 */
export class SteadyClients implements AsyncDisposable {
  readonly #port: () => number;
  readonly #agent: Agent | false;
  readonly #gapMs: number;
  readonly #mayBeRefused: boolean;
  readonly #failures: string[] = [];
  readonly #loops: Promise<void>[];
  #completed = 0;
  #connections = 0;
  #isStopped = false;

  /** A port that may change is asked for anew before each request. */
  constructor(port: number | (() => number), count: number, options: SteadyClientsOptions) {
    const { keepAlive, gapMs = 0, mayBeRefused = !keepAlive } = options;
    this.#port = typeof port === "number" ? () => port : port;
    this.#agent = keepAlive && new Agent({ keepAlive: true, maxSockets: count });
    this.#gapMs = gapMs;
    this.#mayBeRefused = mayBeRefused;
    this.#loops = Array.from({ length: count }, () => this.#loop());
  }

  get completed(): number {
    return this.#completed;
  }

  /** Connections on which a request was answered. */
  get connections(): number {
    return this.#connections;
  }

  /** Lets what is in flight finish; then gives every failure there was. */
  async stop(): Promise<readonly string[]> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
    if (this.#agent) this.#agent.destroy();
    return this.#failures;
  }

  /** For a test that fails half way: its clients would run on for ever. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const { status, isReused } = await get(this.#port(), "/", this.#agent);
        this.#completed++;
        if (!isReused) this.#connections++;
        if (status !== 200) this.#failures.push(`status ${status}`);
        if (this.#gapMs > 0) await pause(this.#gapMs);
      } catch (error) {
        const { code = String(error) } = error as NodeJS.ErrnoException;
        if (!this.#mayBeRefused || code !== "ECONNREFUSED") this.#failures.push(code);
        // A refusal costs no time: without a turn of the loop nothing else would get any.
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
    }
  }
}
