/** Upgrades between HTTP/1 and HTTP/2, both ways, and CONNECT over both. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { errorCode, frameType } from "../../../../src/data/http/http2/frames.ts";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import type { HttpClient } from "../../../support/http-peers.ts";
import { startProxy, type TestProxy, type TestProxyOptions } from "../../../support/http-proxy.ts";
import { connectHttp2 } from "../../../support/http2-client.ts";
import { http2Options } from "../../../support/http2-options.ts";
import { startHttp2Upstream, type Http2Upstream } from "../../../support/http2-upstream.ts";
import { block, frame, RawHttp2Client } from "../../../support/raw-http2.ts";
import { startUpstream } from "../../../support/tcp-peers.ts";
import { forEachWorkerKind, type TestWorkers } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";

const websocket = { type: "websocket", isEnabled: true };
const connect = { type: "connect", isEnabled: true };
const manager = {
  upgrades: [websocket, connect],
  http2: http2Options({ allowsConnect: true }),
};
const connectRoute = (overrides: object = {}) =>
  route("", {
    match: { ...route("/").match, path: { kind: "connect" } },
    action: clusterAction(overrides),
  });
const overHttp2 = { cluster: { protocol: "http2" } } as const;
const tunnelHere = { routes: [connectRoute({ tunnelEnd: { allowsPost: false } })] };

/** Grants what is asked for, and echoes. */
async function startEcho(seen: IncomingHttpHeaders[]): Promise<Http2Upstream> {
  const settings = { enableConnectProtocol: true };
  return startHttp2Upstream(
    (stream, headers) => {
      seen.push(headers);
      stream.respond({ ":status": 200, "sec-websocket-protocol": "p" });
      stream.pipe(stream);
    },
    { settings },
  );
}

/** The same over HTTP/1, of whichever kind is asked for. */
const startEchoHttp1 = (heads: string[]) =>
  startUpstream((socket) => {
    let head = "";
    const onData = (part: Buffer): void => {
      head += part.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      heads.push(head.slice(0, end));
      socket.off("data", onData);
      const isConnect = head.startsWith("CONNECT");
      const answer = isConnect
        ? "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        : "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
      socket.write(answer + head.slice(end + 4));
      socket.pipe(socket);
    };
    socket.on("data", onData);
  });

const webSocketHead = (path = "/chat", fields: readonly string[] = []): string =>
  [
    `GET ${path} HTTP/1.1`,
    "Host: a",
    "Connection: Upgrade",
    "Upgrade: websocket",
    ...fields,
    "",
    "",
  ].join("\r\n");
const extendedConnect = {
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":scheme": "http",
  ":path": "/chat",
  ":authority": "a",
};

const start = (
  workers: TestWorkers,
  upstream: { readonly port: number },
  options: TestProxyOptions = {},
): Promise<TestProxy> => startProxy(workers, upstream.port, { manager, ...options });

async function received(client: HttpClient, text: string): Promise<void> {
  await client.until(() => client.rest.includes(text));
}

/** What a stream says, as it comes. */
class Tunnel {
  readonly stream: ClientHttp2Stream;
  headers: IncomingHttpHeaders | undefined;
  text = "";
  hasEnded = false;

  constructor(session: ClientHttp2Session, headers: object) {
    this.stream = session.request({ ...headers }, { endStream: false });
    this.stream.on("error", () => {});
    this.stream.on("response", (got) => (this.headers = got));
    this.stream.on("data", (part: Buffer) => (this.text += part.toString("latin1")));
    this.stream.on("end", () => (this.hasEnded = true));
  }

  async granted(): Promise<IncomingHttpHeaders> {
    return until(() => Promise.resolve(this.headers), "the tunnel is granted");
  }

  async says(text: string): Promise<void> {
    await until(() => Promise.resolve(this.text.includes(text) || undefined), `it says ${text}`);
  }

  async ended(): Promise<void> {
    await until(() => Promise.resolve(this.hasEnded || undefined), "the tunnel has ended");
  }
}

forEachWorkerKind(
  "an upgrade goes to a host of HTTP/2 as extended CONNECT",
  { isShared: true },
  async (workers) => {
    const seen: IncomingHttpHeaders[] = [];
    await using upstream = await startEcho(seen);
    const proxy = await start(workers, upstream, overHttp2);
    const client = proxy.connect();
    client.send(`${webSocketHead()}ahead`);
    await received(client, "ahead");
    const [head = ""] = client.rest.split("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    assert.match(head, /\r\nsec-websocket-protocol: p\r\n/);
    assert.match(head, /\r\nconnection: upgrade\r\nupgrade: websocket$/);
    const [asked] = seen;
    assert.equal(asked?.[":method"], "CONNECT");
    assert.equal(asked?.[":protocol"], "websocket");
    assert.equal(asked?.[":path"], "/chat");
    assert.equal(asked?.["upgrade"], undefined);
    client.send("more");
    await received(client, "more");
    client.socket.end();
    await proxy.settled();
    assert.equal(proxy.http("downstream_cx_upgrades_active"), 0);
  },
);

forEachWorkerKind(
  "extended CONNECT reaches a host of HTTP/1 as an upgrade",
  { isShared: true },
  async (workers) => {
    const heads: string[] = [];
    await using upstream = await startEchoHttp1(heads);
    const proxy = await start(workers, upstream);
    const session = await connectHttp2(proxy.listener.port);
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
    const tunnel = new Tunnel(session, extendedConnect);
    tunnel.stream.write("early");
    const headers = await tunnel.granted();
    assert.equal(headers[":status"], 200);
    assert.equal(headers["upgrade"], undefined);
    await tunnel.says("early");
    tunnel.stream.write("x".repeat(300_000));
    tunnel.stream.write("last");
    await tunnel.says("last");
    assert.match(heads[0] ?? "", /^GET \/chat HTTP\/1\.1\r\nhost: a\r\n/);
    assert.match(heads[0] ?? "", /\r\nconnection: upgrade\r\nupgrade: websocket$/);
    // The end of the stream is the FIN of what it carries, and the FIN that comes back is its end (RFC 8441 §5).
    tunnel.stream.end();
    await tunnel.ended();
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "extended CONNECT passes from HTTP/2 to HTTP/2",
  { isShared: true },
  async (workers) => {
    const seen: IncomingHttpHeaders[] = [];
    await using upstream = await startEcho(seen);
    const proxy = await start(workers, upstream, overHttp2);
    const session = await connectHttp2(proxy.listener.port);
    const tunnel = new Tunnel(session, extendedConnect);
    assert.equal((await tunnel.granted())[":status"], 200);
    tunnel.stream.end("all");
    await tunnel.says("all");
    await tunnel.ended();
    assert.equal(seen[0]?.[":protocol"], "websocket");
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "without allow_connect :protocol is malformed",
  { isShared: true },
  async (workers) => {
    await using upstream = await startEchoHttp1([]);
    const proxy = await start(workers, upstream, { manager: { upgrades: [websocket] } });
    const session = await connectHttp2(proxy.listener.port);
    assert.equal(session.remoteSettings.enableConnectProtocol, false);
    session.destroy();
    const raw = new RawHttp2Client(proxy.listener.port);
    raw.send(frame(frameType.headers, 4, 1, block(Object.entries(extendedConnect))));
    const goaway = await raw.next(frameType.goaway);
    assert.equal(goaway.payload.readUInt32BE(4), errorCode.protocolError);
    raw.destroy();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "CONNECT ends here: its bytes reach the host in TCP",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream();
    const proxy = await start(workers, upstream, tunnelHere);
    const client = proxy.connect();
    client.send("CONNECT foo.test:443 HTTP/1.1\r\nHost: foo.test:443\r\n\r\nahead");
    await received(client, "ahead");
    assert.match(client.rest, /^HTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(client.rest, /transfer-encoding|content-length|connection/);
    client.send("more");
    await received(client, "more");
    client.socket.end();
    const session = await connectHttp2(proxy.listener.port);
    const tunnel = new Tunnel(session, { ":method": "CONNECT", ":authority": "foo.test:443" });
    await tunnel.granted();
    tunnel.stream.end("over two");
    await tunnel.says("over two");
    // Half-close goes through: the echo ends when it has sent it all.
    await tunnel.ended();
    session.close();
    await proxy.settled();
    assert.equal(proxy.http("downstream_cx_upgrades_total"), 2);
    assert.equal(proxy.cluster("upstream_cx_total"), 2);
    assert.equal(proxy.cluster("upstream_cx_active"), 0);
  },
);

forEachWorkerKind("CONNECT is passed on as CONNECT", { isShared: true }, async (workers) => {
  const heads: string[] = [];
  const seen: IncomingHttpHeaders[] = [];
  await using http1 = await startEchoHttp1(heads);
  await using http2 = await startEcho(seen);
  for (const [upstream, options] of [
    [http1, {}],
    [http2, overHttp2],
  ] as const) {
    const proxy = await start(workers, upstream, { routes: [connectRoute()], ...options });
    const client = proxy.connect();
    client.send("CONNECT foo.test:443 HTTP/1.1\r\nHost: other\r\n\r\n");
    await received(client, "HTTP/1.1 200 OK\r\n");
    client.send("through");
    await received(client, "through");
    assert.doesNotMatch(client.rest, /content-length/);
    client.socket.end();
    await proxy.settled();
  }
  assert.match(heads[0] ?? "", /^CONNECT foo\.test:443 HTTP\/1\.1\r\nhost: foo\.test:443\r\n/);
  const { ":method": method, ":authority": authority, ":path": path } = seen[0] ?? {};
  assert.deepEqual([method, authority, path], ["CONNECT", "foo.test:443", undefined]);
});

forEachWorkerKind(
  "a POST is a tunnel where allow_post says so",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream();
    const action = clusterAction({ tunnelEnd: { allowsPost: true } });
    const proxy = await start(workers, upstream, { routes: [route("/", { action })] });
    const client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    const { status, body } = await client.response();
    assert.deepEqual([status, body], [200, "abc"]);
    client.socket.end();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "a host that cannot be reached ends no tunnel",
  { isShared: true },
  async (workers) => {
    const gone = await startUpstream();
    await gone[Symbol.asyncDispose]();
    const proxy = await start(workers, gone, tunnelHere);
    const client = proxy.connect();
    client.send("CONNECT foo.test:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await client.response()).status, 503);
    client.socket.destroy();
    await proxy.settled();
    assert.equal(proxy.cluster("upstream_cx_connect_fail"), 1);
  },
);

forEachWorkerKind(
  "what comes before an upgrade is declined reaches nobody",
  { isShared: true },
  async (workers) => {
    const heads: string[] = [];
    await using upstream = await startUpstream((socket) => {
      socket.on("data", (part: Buffer) => {
        heads.push(part.toString("latin1"));
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno");
      });
      socket.on("end", () => socket.end());
    });
    const proxy = await start(workers, upstream);
    const client = proxy.connect();
    client.send(`${webSocketHead()}GET /admin HTTP/1.1\r\nHost: a\r\n\r\n`);
    const answer = await client.response();
    assert.deepEqual([answer.status, answer.body], [200, "no"]);
    assert.equal(answer.headers["connection"], "close");
    await client.ended();
    client.socket.end();
    await proxy.settled();
    assert.equal(heads.length, 1);
    assert.doesNotMatch(heads[0] ?? "", /admin/);
  },
);

forEachWorkerKind(
  "an Upgrade field that says CONNECT grants none",
  { isShared: true },
  async (workers) => {
    await using upstream = await startEchoHttp1([]);
    const proxy = await start(workers, upstream);
    const client = proxy.connect();
    client.send(webSocketHead().replace("Upgrade: websocket", "Upgrade: CONNECT"));
    assert.equal((await client.response()).status, 403);
    client.socket.destroy();
    const session = await connectHttp2(proxy.listener.port);
    const tunnel = new Tunnel(session, { ...extendedConnect, ":protocol": "connect" });
    assert.equal((await tunnel.granted())[":status"], 403);
    session.close();
    await once(session, "close");
    await proxy.settled();
  },
);
