/**
 * The admin of a running proxy, as the subcommands reach it: over TCP, or over a Unix socket where the address is
 * a path. Errors are sentences for a person; none carries a stack.
 */
import type { IncomingMessage } from "node:http";
import { request } from "../shared/common/node-http.ts";

export const adminAddressDefault = "127.0.0.1:9901";

/** An answer that takes longer is none; a long poll brings its own time. */
const answerMsMax = 10_000;

export interface AdminCall {
  readonly method?: "GET" | "POST";
  /** JSON. */
  readonly body?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

type AdminTarget =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number };

export class AdminConnection {
  readonly address: string;
  readonly #target: AdminTarget;

  /** `127.0.0.1:9901`, `http://localhost:9901`, `[::1]:9901` or `/path/of/socket`. Throws what is wrong with it. */
  constructor(address: string) {
    this.address = address;
    this.#target = targetOf(address);
  }

  /** The body of an answer with status 200; anything else throws. */
  async json<T>(path: string, call: AdminCall = {}): Promise<T> {
    const { status, body } = await this.text(path, call);
    if (status !== 200) throw new Error(`${this.address}${path}: ${status} ${body.trim()}`);
    return this.parsed<T>(path, body);
  }

  /** An answer, whatever its status. */
  async text(
    path: string,
    call: AdminCall = {},
  ): Promise<{ readonly status: number; readonly body: string }> {
    const response = await this.open(path, call);
    let body = "";
    for await (const chunk of response.setEncoding("utf8")) body += String(chunk);
    return { status: response.statusCode ?? 0, body };
  }

  parsed<T>(path: string, body: string): T {
    try {
      return JSON.parse(body) as T;
    } catch {
      throw new Error(`${this.address}${path} is not the admin of Sluice: no JSON`);
    }
  }

  /** An answer whose body is still to come. */
  open(path: string, call: AdminCall = {}): Promise<IncomingMessage> {
    const { method = "GET", body, timeoutMs = answerMsMax, signal } = call;
    return new Promise((resolve, reject) => {
      const outgoing = request({
        ...this.#target,
        path,
        method,
        agent: false,
        ...(body === undefined ? {} : { headers: { "content-type": "application/json" } }),
        ...(signal ? { signal } : {}),
      });
      outgoing.on("response", resolve);
      outgoing.on("error", (error: NodeJS.ErrnoException) => reject(this.#explained(error)));
      outgoing.setTimeout(timeoutMs, () =>
        outgoing.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)),
      );
      outgoing.end(body);
    });
  }

  #explained(error: NodeJS.ErrnoException): Error {
    const isAbsent = error.code === "ECONNREFUSED" || error.code === "ENOENT";
    const what = isAbsent ? "nothing listens there" : error.message;
    return new Error(`cannot reach the admin at ${this.address}: ${what}`);
  }
}

function targetOf(address: string): AdminTarget {
  if (address.startsWith("/")) return { socketPath: address };
  const url = address.includes("://") ? address : `http://${address}`;
  if (!URL.canParse(url)) throw new Error(`'${address}' is no address: want host:port or a path`);
  const { hostname, port, protocol } = new URL(url);
  if (protocol !== "http:") throw new Error(`'${address}': the admin speaks http only`);
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port || 80) };
}
