/**
 * The admin's HTTP server: node:http on main, where the bootstrap says and nowhere else. Requests are
 * bounded in size, time and number.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "../../shared/common/node-http.ts";
import type { SocketAddress } from "../../shared/common/address.ts";
import { messageOf } from "../../shared/common/errors.ts";
import { refusalOf } from "../../shared/common/request-guard.ts";
import type { AdminRouter } from "./admin-router.ts";
import type { AdminStats } from "./admin-stats.ts";
import { type AdminBody, type AdminResponse, textResponse } from "./endpoint.ts";

const headerBytesMax = 60 * 1024;
const requestTimeoutMs = 30_000;
const connectionsMax = 1_000;

export interface AdminServerOptions {
  readonly address: SocketAddress;
  /** A socket that listens there already, from the process before; undefined: it is opened. */
  readonly descriptor?: number | undefined;
  readonly allowedHosts: readonly string[];
  readonly router: AdminRouter;
  readonly stats: AdminStats;
}

export type AdminListenResult =
  | { readonly ok: true; readonly server: AdminServer }
  | { readonly ok: false; readonly error: string };

export class AdminServer {
  readonly #http: Server;
  /** As bound: port 0 resolved. */
  readonly address: SocketAddress;

  private constructor(http: Server, address: SocketAddress) {
    this.#http = http;
    this.address = address;
  }

  /** Binds before it answers, so that a taken port is an error at the start. */
  static async listen(options: AdminServerOptions): Promise<AdminListenResult> {
    // The policy needs the address that is known only once it is bound.
    let bound = options.address;
    const http = createServer(
      { maxHeaderSize: headerBytesMax, requestTimeout: requestTimeoutMs },
      (request, response) => void answer(request, response, options, bound),
    );
    http.maxConnections = connectionsMax;
    http.on("connection", (socket) => {
      options.stats.connectionOpened();
      socket.on("close", () => options.stats.connectionClosed());
    });
    const error = await listening(http, options);
    if (error !== undefined) return { ok: false, error };
    const at = http.address();
    if (at !== null && typeof at === "object")
      bound = { kind: "ip", ip: at.address, port: at.port };
    return { ok: true, server: new AdminServer(http, bound) };
  }

  /** For the process after; it stays this one's. Undefined where there are no descriptors. */
  get descriptor(): number | undefined {
    const { _handle: handle } = this.#http as { readonly _handle?: { readonly fd?: number } };
    return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
  }

  /** Stops listening and cuts what is open. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#http.close(resolve);
    });
    this.#http.closeAllConnections();
    await closed;
  }
}

/** Resolves with the reason when it cannot listen, in Envoy's words. */
function listening(
  http: Server,
  { address, descriptor }: Pick<AdminServerOptions, "address" | "descriptor">,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    http.once("error", (error: NodeJS.ErrnoException) => {
      const where = address.kind === "ip" ? `${address.ip}:${address.port}` : address.path;
      const reason = { EADDRINUSE: "Address already in use", EACCES: "Permission denied" }[
        error.code ?? ""
      ];
      resolve(`cannot bind '${where}': ${reason ?? messageOf(error)}`);
    });
    const onListening = (): void => resolve(undefined);
    if (descriptor !== undefined) http.listen({ fd: descriptor }, onListening);
    else if (address.kind === "ip")
      http.listen({ host: address.ip, port: address.port }, onListening);
    // Node writes an abstract name with a zero byte in front, Envoy with `@`.
    else http.listen({ path: address.path.replace(/^@/, "\0") }, onListening);
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: AdminServerOptions,
  bound: SocketAddress,
): Promise<void> {
  options.stats.requestStarted();
  const body = await readBody(request, options.router.bodyBytesMax(targetOf(request).path));
  const reply =
    body === undefined
      ? { ...textResponse("Payload Too Large", 413), closes: true }
      : await responseTo(request, body, options, bound);
  options.stats.requestEnded(reply.status);
  response.writeHead(reply.status, {
    "content-type": reply.contentType,
    "cache-control": "no-cache, max-age=0",
    "x-content-type-options": "nosniff",
    server: "envoy",
    ...("closes" in reply ? { connection: "close" } : {}),
  });
  if (!reply.continues || request.method === "HEAD")
    return void response.end(reply.body, () => reply.afterwards?.());
  response.write(reply.body);
  const continued = reply.continues(bodyOf(response));
  response.on("close", () => continued[Symbol.dispose]());
}

function bodyOf(response: ServerResponse): AdminBody {
  return {
    get isSlow() {
      return response.writableNeedDrain;
    },
    write: (text) => void response.write(text),
    end: (text = "") => void response.end(text),
  };
}

function responseTo(
  request: IncomingMessage,
  body: string,
  { router, allowedHosts }: AdminServerOptions,
  address: SocketAddress,
): AdminResponse | Promise<AdminResponse> {
  const method = request.method ?? "GET";
  const refusal = refusalOf(
    {
      method,
      host: request.headers.host,
      origin: request.headers.origin,
      secFetchSite: headerText(request.headers["sec-fetch-site"]),
    },
    { address, allowedHosts, guarded: "the admin", allowFlag: "--admin-allowed-host" },
  );
  if (refusal !== undefined) return textResponse(`${refusal}\n`, 403);
  const { path, query } = targetOf(request);
  const isForm = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded");
  const form = isForm ? { form: new URLSearchParams(body) } : {};
  return router.route(method, path, { query: new URLSearchParams(query), body, ...form });
}

function targetOf({ url = "/" }: IncomingMessage): {
  readonly path: string;
  readonly query: string;
} {
  const question = url.indexOf("?");
  if (question < 0) return { path: url, query: "" };
  return { path: url.slice(0, question), query: url.slice(question + 1) };
}

/** Undefined when there is more of it than we take; the rest is not read. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += (chunk as Buffer).length;
      if (size > bytesMax) return undefined;
      chunks.push(chunk as Buffer);
    }
  } catch {
    // The client went away in the middle: there is nobody to answer.
    return "";
  }
  return Buffer.concat(chunks).toString("utf8");
}

function headerText(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.join(",");
}
