/**
 * The HTTP side of the management server: what is pushed and looked at by hand, and discovery by polling. It
 * authenticates nobody, so it listens on loopback unless told otherwise, and takes nothing from web pages.
 */
import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "../../shared/common/node-http.ts";
import { createServer as createNetServer, type Server as NetServer } from "node:net";
import { messageOf } from "../../shared/common/errors.ts";
import type { Random } from "../../shared/common/random.ts";
import { refusalOf } from "../../shared/common/request-guard.ts";
import { seededRandom } from "../../shared/common/seeded-random.ts";
import { listenAddressOf } from "../listen-address.ts";
import type { ManagementServer } from "../management-server.ts";
import type { ResourceReader } from "../resource-reader.ts";
import type { ServerTls } from "../server-tls.ts";
import { type ApiAnswer, type ApiHandler, type ApiRequest, errorJson } from "./api-answer.ts";
import { clientsApi } from "./clients-api.ts";
import { cutApi, faultsApi } from "./faults-api.ts";
import { resourcesApi } from "./resources-api.ts";
import { restDiscovery } from "./rest-discovery.ts";

export interface ApiServerOptions {
  readonly server: ManagementServer;
  readonly reader: ResourceReader;
  /** `host:port`; port 0, the default, takes a free one. */
  readonly address?: string;
  /** Further names that a `Host` may have. */
  readonly allowedHosts?: readonly string[];
  /** Default 64 MiB: 10,000 listeners as JSON are about 40. */
  readonly bodyBytesMax?: number;
  readonly random?: Random;
  /** Undefined: in plain text. */
  readonly tls?: ServerTls | undefined;
}

const bodyBytesMaxDefault = 64 << 20;
const headerBytesMax = 16 * 1024;
const connectionsMax = 1_000;
const requestTimeoutMs = 60_000;

const help = `PUT, GET     /resources                 all resources, by type
PUT, GET     /resources/TYPE            listeners, LDS or a type URL
PUT, GET, DELETE /resources/TYPE/NAME   one of them
             ?node=ID of a node or a cluster, ?wait=10s for the answers
GET          /clients                   who is connected, and what they said; ?wait=10s
PUT, GET, DELETE /faults                how to misbehave
POST         /close, /reset, /goaway    every stream or connection, now
POST         /v3/discovery:TYPE         discovery by polling
`;

export class ApiServer implements AsyncDisposable {
  readonly #http: Server;
  /** What accepts: with TLS not the one that serves. */
  readonly #front: NetServer;
  readonly #options: ApiServerOptions;
  readonly #handlers: ReadonlyMap<string, ApiHandler>;
  readonly #discovery: ApiHandler;

  /** Throws if it cannot listen. */
  static async listen(options: ApiServerOptions): Promise<ApiServer> {
    const api = new ApiServer(options);
    api.#front.listen(listenAddressOf(options.address ?? "127.0.0.1:0"));
    await once(api.#front, "listening");
    return api;
  }

  private constructor(options: ApiServerOptions) {
    const { server, reader, random = seededRandom(1) } = options;
    this.#options = options;
    this.#handlers = new Map<string, ApiHandler>([
      ["resources", resourcesApi(server, reader)],
      ["clients", clientsApi(server)],
      ["faults", faultsApi(server)],
      ["close", cutApi(server, "close")],
      ["reset", cutApi(server, "reset")],
      ["goaway", cutApi(server, "goaway")],
      ["", () => ({ kind: "text", status: 200, text: help })],
    ]);
    this.#discovery = restDiscovery(server, reader.protos, random);
    const limits = { maxHeaderSize: headerBytesMax, requestTimeout: requestTimeoutMs };
    this.#http = createServer(limits, (request, response) => void this.#serve(request, response));
    this.#front = options.tls ? securedFront(options.tls, this.#http) : this.#http;
    this.#front.maxConnections = connectionsMax;
  }

  get port(): number {
    const at = this.#front.address();
    return at !== null && typeof at === "object" ? at.port : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#front, "close");
    this.#front.close();
    this.#http.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#answerTo(request).catch((thrown: unknown): ApiAnswer =>
      errorJson(400, [messageOf(thrown)]),
    );
    if (answer.kind === "cut") request.socket.destroy();
    else send(answer, response);
  }

  async #answerTo(request: IncomingMessage): Promise<ApiAnswer> {
    const url = new URL(request.url ?? "/", "http://api");
    const isDiscovery = url.pathname.startsWith("/v3/discovery:");
    const refusal = this.#refusalOf(request, isDiscovery);
    if (refusal !== undefined) return errorJson(403, [refusal]);
    const { bodyBytesMax = bodyBytesMaxDefault } = this.#options;
    const body = await bodyOf(request, bodyBytesMax);
    if (body === undefined) return errorJson(413, [`a body may have ${bodyBytesMax} bytes`]);
    const path = url.pathname.split("/").slice(1).map(decodeURIComponent);
    const asked: ApiRequest = {
      method: request.method ?? "GET",
      path: path.at(-1) === "" && path.length > 1 ? path.slice(0, -1) : path,
      query: url.searchParams,
      body,
    };
    const handler = isDiscovery ? this.#discovery : this.#handlers.get(path[0] ?? "");
    return (await handler?.(asked)) ?? errorJson(404, ["no such path", ...help.trim().split("\n")]);
  }

  #refusalOf({ method = "GET", headers }: IncomingMessage, isDiscovery: boolean) {
    const at = this.#front.address();
    const ip = at !== null && typeof at === "object" ? at.address : "127.0.0.1";
    const site = headers["sec-fetch-site"];
    return refusalOf(
      {
        method,
        // A proxy that polls says the name of its cluster; no page can, for it posts with its origin.
        host: isDiscovery ? undefined : headers.host,
        origin: headers.origin,
        secFetchSite: typeof site === "string" ? site : undefined,
      },
      {
        address: { kind: "ip", ip, port: this.port },
        allowedHosts: this.#options.allowedHosts ?? [],
        guarded: "the management server",
        allowFlag: "--allowed-host",
      },
    );
  }
}

function securedFront(tls: ServerTls, http: Server): NetServer {
  return createNetServer((socket) => {
    socket.on("error", () => socket.destroy());
    tls.accept(socket, (secured) => http.emit("connection", secured));
  });
}

function send(answer: Exclude<ApiAnswer, { kind: "cut" }>, response: ServerResponse): void {
  const isText = answer.kind === "text";
  const status = answer.kind === "unchanged" ? 304 : answer.kind === "bytes" ? 200 : answer.status;
  response.writeHead(status, {
    "content-type": isText ? "text/plain; charset=utf-8" : "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    // What is left of a body that was too long would be taken for the next request.
    ...(status === 413 && { connection: "close" }),
  });
  if (answer.kind === "json") response.end(`${JSON.stringify(answer.json, undefined, 1)}\n`);
  else if (answer.kind === "bytes") response.end(answer.bytes);
  else response.end(isText ? answer.text : "");
}

/** `undefined` if it is longer than what we take. */
async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
