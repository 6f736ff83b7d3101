/**
 * Steady requests over kept-alive connections, and an honest count: whatever is not a whole 200
 * response failed. Nothing is retried.
 */
import { Agent, get, type IncomingMessage } from "node:http";
import { messageOf } from "../../shared/common/errors.ts";

export interface TrafficResponse {
  readonly body: string;
  /** The `server` header: which filter chain answered. */
  readonly server: string;
}

export interface Lane {
  readonly name: string;
  readonly port: number;
  made: number;
  failed: number;
  inFlight: number;
  isStopped: boolean;
  lastError: string;
}

const connectionsPerLane = 4;
/** From the end of a response to the next request of that connection. */
const pauseMs = 40;
const requestMsMax = 30_000;

export class Traffic {
  readonly #lanes = new Map<string, Lane>();
  #watchers: ((lane: Lane, response: TrafficResponse) => void)[] = [];

  /** Begins steady traffic to a listener; it goes on until it is stopped. */
  start(name: string, port: number): void {
    const lane = this.#lanes.get(name) ?? newLane(name, port);
    lane.isStopped = false;
    this.#lanes.set(name, lane);
    for (let i = 0; i < connectionsPerLane; i++) void this.#keepAsking(lane);
  }

  /** No new requests from now on; those under way go on. */
  stop(name: string): void {
    const lane = this.#lanes.get(name);
    if (lane) lane.isStopped = true;
  }

  /** One request beside the steady ones, counted like them. */
  async once(name: string, path: string): Promise<TrafficResponse | undefined> {
    const lane = this.#lanes.get(name);
    if (!lane) throw new Error(`no traffic to ${name}`);
    const agent = new Agent();
    try {
      return await this.#ask(lane, agent, path);
    } finally {
      agent.destroy();
    }
  }

  /** Settles at the first response of a listener that is as it should be, or fails after 20 s. */
  sees(
    name: string,
    isWanted: (response: TrafficResponse) => boolean,
    what: string,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`never seen: ${what}`)), 20_000);
    const watcher = (lane: Lane, response: TrafficResponse): void => {
      if (lane.name === name && isWanted(response)) resolve();
    };
    this.#watchers.push(watcher);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#watchers = this.#watchers.filter((one) => one !== watcher);
    });
  }

  get lanes(): readonly Readonly<Lane>[] {
    return [...this.#lanes.values()];
  }

  get made(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.made, 0);
  }

  get failed(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.failed, 0);
  }

  /** Settles when nothing is under way to a listener. */
  async idle(name: string): Promise<void> {
    while ((this.#lanes.get(name)?.inFlight ?? 0) > 0) await delay(5);
  }

  /** Stops everything and waits for what is under way. */
  async finish(): Promise<void> {
    for (const lane of this.#lanes.values()) lane.isStopped = true;
    while (this.lanes.some((lane) => lane.inFlight > 0)) await delay(20);
  }

  async #keepAsking(lane: Lane): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!lane.isStopped) {
      await this.#ask(lane, agent, "/");
      await delay(pauseMs);
    }
    agent.destroy();
  }

  async #ask(lane: Lane, agent: Agent, path: string): Promise<TrafficResponse | undefined> {
    lane.made++;
    lane.inFlight++;
    try {
      const response = await request(lane.port, agent, path);
      for (const watcher of this.#watchers) watcher(lane, response);
      return response;
    } catch (thrown) {
      lane.failed++;
      lane.lastError = messageOf(thrown);
      return undefined;
    } finally {
      lane.inFlight--;
    }
  }
}

/** Rejects unless a whole response with status 200 comes. */
async function request(port: number, agent: Agent, path: string): Promise<TrafficResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asked = get({ host: "127.0.0.1", port, agent, path, timeout: requestMsMax }, resolve);
  asked.on("error", reject);
  asked.on("timeout", () => asked.destroy(new Error(`no response within ${requestMsMax} ms`)));
  const message = await promise;
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  if (message.statusCode !== 200) throw new Error(`status ${message.statusCode}: ${body}`);
  return { body, server: String(message.headers["server"]) };
}

function newLane(name: string, port: number): Lane {
  return { name, port, made: 0, failed: 0, inFlight: 0, isStopped: false, lastError: "" };
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
