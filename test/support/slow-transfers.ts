import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

/** Of each transfer: 32 chunks of 16 KiB. */
const chunks = 32;
const chunkBytes = 16 * 1024;

export type Direction = "download" | "upload";

/**
 * Clients with one long transfer after another, each on a connection of its own, that remember which of them were
 * cut. Who finds nobody listening has not begun, and tries again.
 */
export class SlowTransfers implements AsyncDisposable {
  readonly #port: () => number;
  readonly #direction: Direction;
  readonly #timeMs: number;
  readonly #failures: string[] = [];
  readonly #loops: Promise<void>[];
  #completed = 0;
  #isStopped = false;

  /** `port` is asked anew for each; a transfer takes `timeMs`. */
  constructor(port: () => number, count: number, direction: Direction, timeMs: number) {
    this.#port = port;
    this.#direction = direction;
    this.#timeMs = timeMs;
    this.#loops = Array.from({ length: count }, () => this.#loop());
  }

  get completed(): number {
    return this.#completed;
  }

  /** Lets those under way end; then gives every failure there was. */
  async stop(): Promise<readonly string[]> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
    return this.#failures;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) {
      const failure = await this.#transfer();
      if (failure === undefined) this.#completed++;
      else if (failure !== "ECONNREFUSED") this.#failures.push(`${this.#direction}: ${failure}`);
      // A refusal costs no time.
      else await pause(1);
    }
  }

  async #transfer(): Promise<string | undefined> {
    const everyMs = this.#timeMs / chunks;
    const isUpload = this.#direction === "upload";
    const sent = request({
      host: "127.0.0.1",
      port: this.#port(),
      agent: false,
      method: isUpload ? "POST" : "GET",
      path: isUpload ? "/" : `/download/${chunks}/${everyMs}`,
      headers: isUpload ? { "content-length": chunks * chunkBytes } : {},
    });
    const outcome = outcomeOf(sent);
    if (!isUpload) sent.end();
    else await upload(sent, everyMs);
    const { status, text, bytes, failure } = await outcome;
    if (failure !== undefined) return failure;
    if (status !== 200) return `status ${status}`;
    const moved = isUpload ? Number(text) : bytes;
    return moved === chunks * chunkBytes ? undefined : `${moved} bytes only`;
  }
}

interface Outcome {
  readonly status: number;
  /** The last that came. */
  readonly text: string;
  readonly bytes: number;
  readonly failure: string | undefined;
}

function outcomeOf(sent: ClientRequest): Promise<Outcome> {
  return new Promise((resolve) => {
    let status = 0;
    let text = "";
    let bytes = 0;
    const end = (failure: string | undefined): void => resolve({ status, text, bytes, failure });
    sent.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    sent.on("response", (response: IncomingMessage) => {
      status = response.statusCode ?? 0;
      response.on("data", (data: Buffer) => {
        bytes += data.length;
        text = data.toString("latin1");
      });
      response.on("end", () => end(undefined));
      response.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    });
  });
}

async function upload(sent: ClientRequest, everyMs: number): Promise<void> {
  for (let i = 0; i < chunks && !sent.destroyed; i++) {
    sent.write(Buffer.alloc(chunkBytes, "y"));
    await pause(everyMs);
  }
  sent.end();
}
