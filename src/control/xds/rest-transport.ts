/**
 * One poll at a time over HTTP/1.1, in plain text or secured, each on a connection of its own: a poll every few seconds is not worth
 * keeping one, and a server that went away is noticed at once.
 */
import { request } from "../../shared/common/node-http.ts";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { formatAddress, type SocketAddress } from "../../shared/common/address.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { SocketSecurity } from "./socket-security.ts";

export type PollAnswer =
  | { readonly kind: "body"; readonly text: string }
  /** 304: nothing newer than what the request says is held. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "failed"; readonly reason: string };

export interface PollTransport extends Disposable {
  /** For logs and status: `xds_cluster 127.0.0.1:18000`. */
  readonly server: string;
  /** Never rejects. After dispose it may never settle. */
  poll(body: string): Promise<PollAnswer>;
}

export interface HttpPollOptions {
  /** For people, and the `host` header. */
  readonly clusterName: string;
  /** Each tried in turn; asked before each poll, and may be empty. */
  readonly endpoints: () => readonly SocketAddress[];
  readonly path: string;
  /** Undefined: in plain text. */
  readonly security?: SocketSecurity | undefined;
  readonly clock: Clock;
  /** For a poll from its beginning to the last byte. */
  readonly timeoutMs: number;
  /** Longer answers are failures. Default 256 MiB: 10,000 listeners as JSON are about 40. */
  readonly bodyBytesMax?: number;
}

const bodyBytesMaxDefault = 256 << 20;

export class HttpPollTransport implements PollTransport {
  readonly #options: HttpPollOptions;
  #attempts = 0;
  #cancel: (() => void) | undefined;

  constructor(options: HttpPollOptions) {
    this.#options = options;
  }

  get server(): string {
    const endpoint = this.#endpoint();
    return `${this.#options.clusterName} ${endpoint ? formatAddress(endpoint) : "no endpoint"}`;
  }

  async poll(body: string): Promise<PollAnswer> {
    const { clusterName } = this.#options;
    const endpoint = this.#endpoint();
    const answer: PollAnswer = endpoint
      ? await this.#post(endpoint, body)
      : { kind: "failed", reason: `no endpoint in ${clusterName}` };
    if (answer.kind === "failed") this.#attempts++;
    return answer;
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
  }

  #endpoint(): SocketAddress | undefined {
    const endpoints = this.#options.endpoints();
    return endpoints[this.#attempts % endpoints.length];
  }

  #post(endpoint: SocketAddress, body: string): Promise<PollAnswer> {
    const { clock, path, clusterName, timeoutMs } = this.#options;
    const { promise, resolve } = Promise.withResolvers<PollAnswer>();
    const fail = (reason: string): void => resolve({ kind: "failed", reason });
    const socket = connect(addressOf(endpoint));
    // It may fail before the request has it, and then nobody else would listen.
    socket.on("error", (error) => fail(error.message));
    const outgoing = request({
      createConnection: (_options, done) => {
        void this.#secure(socket, done);
        return undefined;
      },
      method: "POST",
      path,
      headers: { host: clusterName, "content-type": "application/json" },
    });
    const timer = clock.startTimer(timeoutMs, () => {
      fail(`no answer within ${timeoutMs} ms`);
      outgoing.destroy();
      socket.destroy();
    });
    this.#cancel = () => {
      timer[Symbol.dispose]();
      outgoing.destroy();
      socket.destroy();
    };
    outgoing.on("error", (error) => fail(error.message));
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes <= (this.#options.bodyBytesMax ?? bodyBytesMaxDefault)) return;
        fail(`an answer of more than ${bytes} bytes`);
        outgoing.destroy();
      });
      response.on("error", (error) => fail(error.message));
      response.on("end", () => resolve(answerOf(response.statusCode ?? 0, chunks)));
    });
    outgoing.end(body);
    return promise.finally(() => timer[Symbol.dispose]());
  }

  /** The socket itself where nothing secures it. */
  async #secure(
    socket: Socket,
    done: (error: Error | null, socket: Duplex) => void,
  ): Promise<void> {
    const { security } = this.#options;
    try {
      await security?.ready();
      done(null, security ? await security.secure(socket, "http/1.1") : socket);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)), socket);
    }
  }
}

function addressOf(endpoint: SocketAddress) {
  return endpoint.kind === "ip"
    ? { host: endpoint.ip, port: endpoint.port }
    : { path: endpoint.path };
}

function answerOf(status: number, chunks: readonly Buffer[]): PollAnswer {
  if (status === 304) return { kind: "unchanged" };
  if (status !== 200) return { kind: "failed", reason: `status ${status}` };
  return { kind: "body", text: Buffer.concat(chunks).toString("utf8") };
}
