import { Agent } from "node:http";
import { get } from "./http-client.ts";

/**
 * Clients that send one request after another until they are stopped, and remember what went wrong.
 * `keepAlive` clients stay on their connection for as long as the proxy lets them; the others open
 * one for each request, and a refused connection is no failure of theirs: nobody promised to listen.
 */
export class SteadyClients implements AsyncDisposable {
  readonly #port: number;
  readonly #agent: Agent | false;
  readonly #failures: string[] = [];
  readonly #loops: Promise<void>[];
  #completed = 0;
  #connections = 0;
  #isStopped = false;

  constructor(port: number, count: number, { keepAlive }: { keepAlive: boolean }) {
    this.#port = port;
    this.#agent = keepAlive && new Agent({ keepAlive: true, maxSockets: count });
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
        const { status, isReused } = await get(this.#port, "/", this.#agent);
        this.#completed++;
        if (!isReused) this.#connections++;
        if (status !== 200) this.#failures.push(`status ${status}`);
      } catch (error) {
        const { code = String(error) } = error as NodeJS.ErrnoException;
        if (this.#agent || code !== "ECONNREFUSED") this.#failures.push(code);
        // A refusal costs no time: without a turn of the loop nothing else would get any.
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
    }
  }
}
