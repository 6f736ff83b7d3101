/**
 * What Envoy makes of upgrades and CONNECT, case by case: the same table runs against Sluice and, with
 * SLUICE_TEST_PROXY=envoy, against Envoy. What differs on purpose is in docs/COMPATIBILITY.md and not here.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { block, type Fields, frame, RawHttp2Client } from "../support/raw-http2.ts";
import { errorCode, frameType } from "../../src/data/http/http2/frames.ts";
import { pseudo } from "../../src/data/http/http2/header-entry.ts";
import { forEachProxy } from "../support/each-proxy.ts";
import { BlockDecoder } from "../support/hpack-peers.ts";
import { HttpClient } from "../support/http-peers.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, staticCluster } from "../support/truth-resources.ts";

const websocket = { upgrade_type: "websocket" };
const connect = { upgrade_type: "CONNECT" };
const tunnelEnd = { ...connect, connect_config: {} };
const toTcp = { cluster: "tcp", upgrade_configs: [tunnelEnd] };
const allowConnect = { http2_protocol_options: { allow_connect: true } };
const open = { upgrade_configs: [websocket, connect], ...allowConnect };

const routes = (ofConnect?: object): object => ({
  route_config: {
    name: "routes",
    virtual_hosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          ...(ofConnect ? [{ match: { connect_matcher: {} }, route: ofConnect }] : []),
          { match: { prefix: "/h2" }, route: { cluster: "h2" } },
          { match: { prefix: "/" }, route: { cluster: "h1" } },
        ],
      },
    ],
  },
});
const listeners = [
  httpListener("open", { ...open, ...routes(toTcp) }),
  httpListener("closed", routes()),
  httpListener("unrouted", { ...open, ...routes() }),
  httpListener("not enabled", { ...allowConnect, ...routes({ cluster: "tcp" }) }),
  httpListener("passes on to h1", { ...open, ...routes({ cluster: "h1" }) }),
  httpListener("passes on to h2", { ...open, ...routes({ cluster: "h2" }) }),
];

const upgrade = (path = "/h1", fields: readonly string[] = []): string =>
  [
    `GET ${path} HTTP/1.1`,
    "Host: a",
    "Connection: Upgrade",
    "Upgrade: WebSocket",
    ...fields,
    "",
    "",
  ].join("\r\n");
const tunnel = (target: string, version = "1.1"): string =>
  `CONNECT ${target} HTTP/${version}\r\nHost: a\r\n\r\n`;

interface Http1Case {
  readonly listener: string;
  readonly text: string;
  readonly status: number;
  /** What comes back for `hi`, once it is granted. */
  readonly echo?: string;
}

const overHttp1: Readonly<Record<string, Http1Case>> = {
  "an upgrade to h1": { listener: "open", text: upgrade(), status: 101, echo: "h1(hi)" },
  "an upgrade to h2": { listener: "open", text: upgrade("/h2"), status: 101, echo: "h2(hi)" },
  "one that the host refuses": { listener: "open", text: upgrade("/refuse"), status: 403 },
  "one that h2 refuses": { listener: "open", text: upgrade("/h2/refuse"), status: 403 },
  "one that is not enabled": { listener: "closed", text: upgrade(), status: 403 },
  "one of many": { listener: "open", text: upgrade().replace("Socket", "Socket, x"), status: 403 },
  "one of HTTP/1.0": {
    listener: "open",
    text: upgrade().replace("HTTP/1.1", "HTTP/1.0"),
    status: 426,
  },
  "one that Connection does not name": {
    listener: "open",
    text: upgrade().replace("Connection: Upgrade\r\n", ""),
    status: 200,
  },
  CONNECT: { listener: "open", text: tunnel("a.test:443"), status: 200, echo: "tcp(hi)" },
  "CONNECT to an address": {
    listener: "open",
    text: tunnel("[::1]:443"),
    status: 200,
    echo: "tcp(hi)",
  },
  "CONNECT without a port": { listener: "open", text: tunnel("a.test"), status: 400 },
  "CONNECT with an empty port": { listener: "open", text: tunnel("a.test:"), status: 400 },
  "CONNECT with a port too large": { listener: "open", text: tunnel("a.test:99999"), status: 400 },
  "CONNECT without a host": { listener: "open", text: tunnel(":443"), status: 400 },
  "CONNECT with a user": { listener: "open", text: tunnel("u@a.test:443"), status: 400 },
  "CONNECT with a path": { listener: "open", text: tunnel("a.test:443/x"), status: 400 },
  "CONNECT to a path": { listener: "open", text: tunnel("/x"), status: 400 },
  "CONNECT to a URL": { listener: "open", text: tunnel("http://a.test/"), status: 400 },
  "CONNECT of HTTP/1.0": { listener: "open", text: tunnel("a.test:443", "1.0"), status: 426 },
  "CONNECT with a length": {
    listener: "open",
    text: tunnel("a.test:443").replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc"),
    status: 400,
  },
  "CONNECT in chunks": {
    listener: "open",
    text: tunnel("a.test:443").replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"),
    status: 501,
  },
  "CONNECT where it is closed": { listener: "closed", text: tunnel("a.test:443"), status: 404 },
  "CONNECT without a route": { listener: "unrouted", text: tunnel("a.test:443"), status: 404 },
  "CONNECT that is not enabled": {
    listener: "not enabled",
    text: tunnel("a.test:443"),
    status: 403,
  },
  "CONNECT passed on to h1": {
    listener: "passes on to h1",
    text: tunnel("a.test:443"),
    status: 200,
    echo: "h1(hi)",
  },
  "CONNECT passed on to h2": {
    listener: "passes on to h2",
    text: tunnel("a.test:443"),
    status: 200,
    echo: "h2(hi)",
  },
};

const extended = (path = "/h1", protocol = "websocket"): Fields => [
  [":method", "CONNECT"],
  [":protocol", protocol],
  [":scheme", "http"],
  [":path", path],
  [":authority", "a"],
];
const plain: Fields = [
  [":method", "CONNECT"],
  [":authority", "a.test:443"],
];
const without = (name: string): Fields => extended().filter(([each]) => each !== name);

interface Http2Case {
  readonly listener: string;
  readonly fields: Fields;
  /** Undefined: it is malformed, and never answered. */
  readonly status: number | undefined;
  readonly echo?: string;
}

const overHttp2: Readonly<Record<string, Http2Case>> = {
  "extended CONNECT to h1": { listener: "open", fields: extended(), status: 200, echo: "h1(hi)" },
  "extended CONNECT to h2": {
    listener: "open",
    fields: extended("/h2"),
    status: 200,
    echo: "h2(hi)",
  },
  "one that the host refuses": { listener: "open", fields: extended("/refuse"), status: 403 },
  "one that h2 refuses": { listener: "open", fields: extended("/h2/refuse"), status: 403 },
  "one of an unknown kind": { listener: "open", fields: extended("/", "x"), status: 403 },
  "one without allow_connect": { listener: "closed", fields: extended(), status: undefined },
  "one without a path": { listener: "open", fields: without(":path"), status: undefined },
  "one without a scheme": { listener: "open", fields: without(":scheme"), status: undefined },
  "one of no kind": { listener: "open", fields: extended("/", ""), status: undefined },
  "a GET with :protocol": {
    listener: "open",
    fields: [[":method", "GET"], ...without(":method")],
    status: undefined,
  },
  CONNECT: { listener: "open", fields: plain, status: 200, echo: "tcp(hi)" },
  "CONNECT with a path": {
    listener: "open",
    fields: [...plain, [":path", "/"]],
    status: undefined,
  },
  "CONNECT with a scheme": {
    listener: "open",
    fields: [...plain, [":scheme", "http"]],
    status: undefined,
  },
  "CONNECT where it is closed": { listener: "closed", fields: plain, status: 404 },
  "CONNECT without a route": { listener: "unrouted", fields: plain, status: 404 },
  "CONNECT that is not enabled": { listener: "not enabled", fields: plain, status: 403 },
  "CONNECT passed on to h1": {
    listener: "passes on to h1",
    fields: plain,
    status: 200,
    echo: "h1(hi)",
  },
  "CONNECT passed on to h2": {
    listener: "passes on to h2",
    fields: plain,
    status: 200,
    echo: "h2(hi)",
  },
};

forEachProxy("upgrades and CONNECT are treated as Envoy does", async (start, scope) => {
  const clusters = await startUpstreams(scope);
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners, clusters } });
  const ports = await proxy.listenerPorts();
  for (const [what, { listener, text, status, echo }] of Object.entries(overHttp1)) {
    const client = new HttpClient(ports.get(listener) ?? 0);
    client.send(text);
    const isGranted = (): boolean => client.rest.includes("\r\n\r\n");
    if (echo === undefined) assert.equal((await client.response()).status, status, what);
    else {
      await client.until(isGranted);
      assert.match(client.rest, new RegExp(`^HTTP/1.1 ${status} `), what);
      client.send("hi");
      await client.until(() => client.rest.endsWith(echo));
      assert.doesNotMatch(client.rest, /content-length|transfer-encoding/, what);
    }
    client.socket.destroy();
  }
  for (const [what, { listener, fields, status, echo }] of Object.entries(overHttp2)) {
    const client = new RawHttp2Client(ports.get(listener) ?? 0);
    client.send(frame(frameType.headers, 4, 1, block(fields)));
    if (status === undefined) await malformed(client, what);
    else assert.equal(statusOf((await client.next(frameType.headers, 1)).payload), status, what);
    if (echo !== undefined) {
      client.send(frame(frameType.data, 0, 1, "hi"));
      assert.equal((await client.next(frameType.data, 1)).payload.toString(), echo, what);
    }
    client.destroy();
  }
});

/** Three hosts that grant what they are asked for, and say who they are. */
async function startUpstreams(scope: AsyncDisposableStack): Promise<readonly object[]> {
  const http1 = scope.use(
    await startUpstream((socket) => {
      let isGranted = false;
      socket.on("data", (part: Buffer) => {
        const text = part.toString("latin1");
        if (isGranted) return void socket.write(`h1(${text})`);
        const answer = answerOf(text);
        socket.write(answer);
        isGranted = !answer.includes("content-length");
      });
      socket.on("end", () => socket.end());
    }),
  );
  const tcp = scope.use(
    await startUpstream((socket) => {
      socket.on("data", (part: Buffer) => socket.write(`tcp(${part.toString("latin1")})`));
      socket.on("end", () => socket.end());
    }),
  );
  const http2 = scope.use(
    await startHttp2Upstream(
      (stream, headers) => {
        const isRefused = headers[":path"]?.includes("refuse") === true;
        stream.respond({ ":status": isRefused ? 403 : 200 }, { endStream: isRefused });
        stream.on("data", (part: Buffer) => stream.write(`h2(${part.toString("latin1")})`));
        stream.on("end", () => stream.end());
      },
      { settings: { enableConnectProtocol: true } },
    ),
  );
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const speaksHttp2 = {
    typed_extension_protocol_options: {
      [options]: {
        "@type": `type.googleapis.com/${options}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  return [
    staticCluster("h1", http1.port),
    staticCluster("tcp", tcp.port),
    staticCluster("h2", http2.port, speaksHttp2),
  ];
}

function answerOf(head: string): string {
  if (head.startsWith("GET /refuse")) return "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
  if (head.startsWith("CONNECT")) return "HTTP/1.1 200 OK\r\n\r\n";
  if (!/upgrade: /i.test(head)) return "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  return "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n\r\n";
}

/** Envoy says so with GOAWAY, after a while, or not at all; an answer it never is. */
async function malformed(client: RawHttp2Client, what: string): Promise<void> {
  const ping = Buffer.from("12345678");
  client.send(frame(frameType.ping, 0, 0, ping));
  const answered = client.next(frameType.ping, 0).then((pong) => pong.flags);
  await Promise.race([answered.catch(() => 0), once(AbortSignal.timeout(2_000), "abort")]);
  assert(!client.frames.some(({ type }) => type === frameType.headers), what);
  const goaway = client.frames.find(({ type }) => type === frameType.goaway);
  if (goaway) assert.equal(goaway.payload.readUInt32BE(4), errorCode.protocolError, what);
}

function statusOf(payload: Buffer): number {
  const { pseudoHeaders } = new BlockDecoder().decode(payload);
  return Number(pseudoHeaders.get(pseudo.status));
}
