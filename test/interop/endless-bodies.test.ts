/**
 * Bodies without an end, over HTTP/1 and HTTP/2 and between them: server-sent events, talk both ways, a writer that a
 * slow reader stops, and the idle timeouts that end them. The same runs against Sluice and, with
 * SLUICE_TEST_PROXY=envoy, against Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";
import { forEachProxy } from "../support/each-proxy.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

const hosts = ["h1", "h2"] as const;
const eventStream = { "content-type": "text/event-stream" };
const limits = { per_connection_buffer_limit_bytes: 65_536 };
const mebibyte = 1_048_576;
/** Envoy's own windows are 16 MiB and more. */
const windows = { initial_stream_window_size: 65_536, initial_connection_window_size: mebibyte };

/** What a host has under way, to be made to speak. */
interface Served {
  readonly path: string;
  readonly request: Readable;
  readonly response: Writable;
}

/** Hosts of both protocols that begin every answer at once and leave the rest to the test. */
async function startHosts(open: AsyncDisposableStack): Promise<{
  readonly served: Served[];
  readonly clusters: readonly object[];
}> {
  const served: Served[] = [];
  const over2 = open.use(
    await startHttp2Upstream((stream, headers) => {
      stream.respond({ ":status": 200, ...eventStream });
      served.push({ path: headers[":path"] ?? "", request: stream, response: stream });
    }),
  );
  const over1 = http.createServer((request, response) => {
    response.on("error", () => {});
    response.writeHead(200, eventStream).flushHeaders();
    served.push({ path: request.url ?? "", request, response });
  });
  await once(over1.listen(0, "127.0.0.1"), "listening");
  open.defer(() => over1.close().closeAllConnections());
  const { port } = over1.address() as AddressInfo;
  const clusters = [staticCluster("h1", port, limits), http2Cluster("h2", over2.port, windows)];
  return { served, clusters };
}

/** A request that stays open, and what has come of its answer. */
class Exchange {
  readonly request: Writable;
  readonly #answer: Promise<Readable>;
  text = "";
  bytes = 0;
  end: "open" | "whole" | "cut" = "open";

  constructor(request: Writable, answer: Promise<Readable>) {
    this.request = request;
    this.#answer = answer;
    request.on("error", () => (this.end = "cut"));
    void answer.then((readable) => {
      readable.on("error", () => (this.end = "cut"));
      readable.on("end", () => (this.end = "whole"));
    });
  }

  /** Takes the answer from now on. */
  async listen(keepsText = true): Promise<void> {
    const answer = await this.#answer;
    answer.on("data", (part: Buffer) => {
      this.bytes += part.length;
      if (keepsText) this.text += part.toString("latin1");
    });
  }

  async says(text: string): Promise<void> {
    await until(() => this.text.endsWith(text), `the answer says ${text}`);
  }
}

interface Client {
  readonly name: string;
  open(path: string): Exchange;
}

async function clientsOf(port: number, open: AsyncDisposableStack): Promise<readonly Client[]> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  await once(session, "remoteSettings");
  open.defer(() => session.destroy());
  const overHttp1 = (path: string): Exchange => {
    const request = http.request({ port, host: "127.0.0.1", path, method: "POST", agent: false });
    open.defer(() => void request.destroy());
    request.flushHeaders();
    return new Exchange(
      request,
      once(request, "response").then(([response]) => response as Readable),
    );
  };
  const overHttp2 = (path: string): Exchange => {
    const stream: Duplex = session.request({ ":path": path, ":method": "POST" });
    return new Exchange(
      stream,
      once(stream, "response").then(() => stream),
    );
  };
  return [
    { name: "h1", open: overHttp1 },
    { name: "h2", open: overHttp2 },
  ];
}

const manager = (fields: object, ofRoute: object = {}): object => ({
  route_config: {
    name: "routes",
    virtual_hosts: [
      {
        name: "all",
        domains: ["*"],
        routes: hosts.map((cluster) => ({
          match: { prefix: `/${cluster}` },
          route: { cluster, timeout: "0s", ...ofRoute },
        })),
      },
    ],
  },
  ...fields,
});

forEachProxy("bodies without an end pass as they come", async (start, open) => {
  const { served, clusters } = await startHosts(open);
  const listeners = [
    httpListener("web", manager({ http2_protocol_options: windows }), limits),
    httpListener("stream_idle", manager({ stream_idle_timeout: "1s" })),
    httpListener("route_idle", manager({}, { idle_timeout: "1s" })),
  ];
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners, clusters } });
  const ports = await proxy.listenerPorts();
  const servedAt = (path: string): Promise<Served> =>
    until(() => served.find((each) => each.path === path), `a host has ${path}`);

  for (const client of await clientsOf(ports.get("web") ?? 0, open)) {
    for (const host of hosts) {
      const name = `${client.name} to ${host}`;
      await eventsPass(name, client, host);
      await talkPasses(name, client, host);
      await writerIsStopped(name, client, host);
      await askerIsStopped(name, client, host);
    }
  }
  await Promise.all(
    ["stream_idle", "route_idle"].map(async (listener) => {
      const clients = await clientsOf(ports.get(listener) ?? 0, open);
      const cases = clients.flatMap((client) => hosts.map((host) => [client, host] as const));
      await Promise.all(cases.map(([client, host]) => silenceEnds(listener, client, host)));
      const stat = `http.${listener}.downstream_rq_idle_timeout`;
      assert.equal(await proxy.stat(stat), cases.length, stat);
    }),
  );

  /** Each event arrives though nothing is known of the next one. */
  async function eventsPass(name: string, client: Client, host: string): Promise<void> {
    const path = `/${host}/events/${client.name}`;
    const exchange = client.open(path);
    exchange.request.end();
    const { response } = await servedAt(path);
    await exchange.listen();
    for (const event of ["data: one\n\n", "data: two\n\n", ": three\n\n"]) {
      response.write(event);
      await exchange.says(event);
    }
    response.end();
    await until(() => exchange.end === "whole", `${name}: the end`);
  }

  async function talkPasses(name: string, client: Client, host: string): Promise<void> {
    const path = `/${host}/talk/${client.name}`;
    const exchange = client.open(path);
    const { request, response } = await servedAt(path);
    request.on("data", (part: Buffer) => response.write(`[${part.toString("latin1")}]`));
    request.on("end", () => response.end("[end]"));
    await exchange.listen();
    for (const text of ["a", "b", "c"]) {
      exchange.request.write(text);
      await exchange.says(`[${text}]`);
    }
    exchange.request.end();
    await exchange.says("[end]");
    await until(() => exchange.end === "whole", `${name}: the end`);
  }

  /** A client that takes nothing stops the host. */
  async function writerIsStopped(name: string, client: Client, host: string): Promise<void> {
    const path = `/${host}/flood/${client.name}`;
    const exchange = client.open(path);
    exchange.request.end();
    const { response } = await servedAt(path);
    const written = await stoppedAfter(response);
    assert(written < boundOf(client, host), `${name}: ${written}`);
    await exchange.listen(false);
    await until(() => exchange.bytes > written + 4 * mebibyte, `${name}: it goes on`);
    response.destroy();
    await until(() => exchange.end === "cut", `${name}: it broke off`);
  }

  async function askerIsStopped(name: string, client: Client, host: string): Promise<void> {
    const path = `/${host}/upload/${client.name}`;
    const exchange = client.open(path);
    const { request, response } = await servedAt(path);
    const written = await stoppedAfter(exchange.request);
    assert(written < boundOf(client, host), `${name}: ${written}`);
    let taken = 0;
    request.on("data", (part: Buffer) => (taken += part.length));
    await until(() => taken > written + 4 * mebibyte, `${name}: it goes on`);
    exchange.request.destroy();
    response.on("error", () => {});
    response.destroy();
  }

  /** Events that come in time keep it open; then silence ends it. */
  async function silenceEnds(listener: string, client: Client, host: string): Promise<void> {
    const path = `/${host}/${listener}/${client.name}`;
    const name = `${listener}: ${client.name} to ${host}`;
    const exchange = client.open(path);
    exchange.request.end();
    const { response } = await servedAt(path);
    response.on("error", () => {});
    await exchange.listen();
    for (let i = 0; i < 15; i++) {
      response.write(`data: ${i}\n\n`);
      await exchange.says(`data: ${i}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(exchange.end, "open", name);
    await until(() => exchange.end === "cut", `${name}: it is cut`);
    await until(() => response.destroyed || response.writableFinished, `${name}: its host hears`);
  }
});

/** What may lie between two ends: over HTTP/2 what the windows allow, over HTTP/1 the buffers of four kernels' sockets. */
function boundOf(client: Client, host: string): number {
  return client.name === "h2" && host === "h2" ? mebibyte : 32 * mebibyte;
}

/** Writes without an end as fast as it is taken; what was written when it is no more. */
async function stoppedAfter(to: Writable): Promise<number> {
  const block = Buffer.alloc(65_536, "x");
  let written = 0;
  const pump = (): void => {
    while (!to.destroyed) {
      written += block.length;
      if (!to.write(block)) break;
    }
  };
  to.on("drain", pump);
  to.on("error", () => {});
  pump();
  let looks = 0;
  let before = 0;
  await until(() => {
    looks = written === before ? looks + 1 : 0;
    before = written;
    return looks > 8;
  }, "the writer is stopped");
  return written;
}
