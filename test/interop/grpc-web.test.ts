/**
 * What `envoy.filters.http.grpc_web` makes of calls by browsers, both ways: the same calls run against Sluice and, with
 * SLUICE_TEST_PROXY, against Envoy, over HTTP/1 and HTTP/2.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { ClientHttp2Session, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { buffer } from "node:stream/consumers";
import { forEachProxy } from "../support/each-proxy.ts";
import { grpcFrame } from "../support/grpc-frames.ts";
import { connectHttp2 } from "../support/http2-client.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { httpFilter } from "../support/http-filter-config.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

interface Case {
  readonly path?: string;
  readonly type: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly parts?: readonly (Buffer | string)[];
  /** What the host says; none: it resets. */
  readonly head?: OutgoingHttpHeaders;
  readonly answer?: readonly (Buffer | string)[];
  readonly trailers?: OutgoingHttpHeaders;
  readonly wanted: Wanted;
}

/** What the client gets; left out: what most do. */
interface Wanted {
  readonly status?: number;
  readonly type?: string;
  readonly body: Buffer | string;
  readonly fields?: Readonly<Record<string, string>>;
  /** What the host got; undefined: nothing. */
  readonly sent?: { readonly type?: string; readonly body?: Buffer } | undefined;
}

const web = "application/grpc-web";
const text = "application/grpc-web-text";
const plain = { type: "application/grpc", body: grpcFrame("goodbye!") };
const one = grpcFrame("hello");
const two = grpcFrame("goodbye!");
const end = (lines: string): Buffer => grpcFrame(lines, 0x80);
const ended = end("grpc-status:0\r\n");
const ok = { "grpc-status": "0" };
const grpc = { "content-type": "application/grpc" };
const base64 = (...messages: readonly Buffer[]): string =>
  messages.map((message) => message.toString("base64")).join("");

const binary = { type: web, parts: [one], head: grpc, trailers: ok };
const asText = {
  type: text,
  fields: { accept: text },
  parts: [base64(one)],
  head: grpc,
  trailers: ok,
};
const textType = `${text}+proto`;
const noBase64 = {
  status: 400,
  type: textType,
  body: "",
  fields: { "grpc-status": "13", "grpc-message": "Bad gRPC-web request, invalid base64 data." },
  sent: undefined,
};
const broken = {
  status: 503,
  body: "",
  fields: {
    "grpc-status": "14",
    "grpc-message":
      "upstream connect error or disconnect/reset before headers. reset reason: remote reset",
  },
};
const said = (status: string, message: string): Record<string, string> => ({
  "grpc-status": status,
  "grpc-message": message,
  "content-length": "0",
});
const html = { "content-type": "text/html" };

const cases: Readonly<Record<string, Case>> = {
  "a call": { ...binary, answer: [two], wanted: { body: Buffer.concat([two, ended]) } },
  "+proto": {
    ...binary,
    type: `${web}+proto`,
    answer: [two],
    wanted: { body: Buffer.concat([two, ended]) },
  },
  "+json is none": {
    ...binary,
    type: `${web}+json`,
    answer: [two],
    wanted: { ...plain, sent: { type: `${web}+json` } },
  },
  "gRPC itself": { ...binary, type: "application/grpc", answer: [two], wanted: plain },
  "no gRPC": {
    ...binary,
    type: "text/plain",
    answer: [two],
    wanted: { ...plain, sent: { type: "text/plain" } },
  },
  "a text answer to a binary request": {
    ...binary,
    fields: { accept: text },
    answer: [two],
    wanted: { type: textType, body: base64(two, ended) },
  },
  "a binary answer to a text request": {
    ...asText,
    fields: {},
    answer: [two],
    wanted: { body: Buffer.concat([two, ended]) },
  },
  text: { ...asText, answer: [two], wanted: { type: textType, body: base64(two, ended) } },
  "text+proto": {
    ...asText,
    type: textType,
    fields: { accept: textType },
    answer: [two],
    wanted: { type: textType, body: base64(two, ended) },
  },
  "text in pieces, both ways": {
    ...asText,
    parts: [base64(one).slice(0, 3), base64(one).slice(3, 9), base64(one).slice(9)],
    answer: [two.subarray(0, 2), two.subarray(2, 8), two.subarray(8)],
    wanted: { type: textType, body: base64(two, ended) },
  },
  "many messages as text": {
    ...asText,
    parts: [base64(Buffer.concat([one, one, one, two]))],
    answer: [one, two, Buffer.concat([one, two])],
    wanted: {
      type: textType,
      body: base64(one, two, one, two, ended),
      sent: { body: Buffer.concat([one, one, one, two]) },
    },
  },
  "text without a message": {
    ...asText,
    parts: [],
    answer: [one],
    wanted: { type: textType, body: base64(one, ended), sent: { body: Buffer.alloc(0) } },
  },
  "no base64": { ...asText, parts: ["AAAA!AA="], wanted: noBase64 },
  "base64 that is cut short": { ...asText, parts: ["AAAAAA"], wanted: noBase64 },
  "an error alone": {
    type: web,
    parts: [one],
    head: { ...grpc, "grpc-status": "5", "grpc-message": "no such" },
    wanted: { body: "", fields: { "grpc-status": "5", "grpc-message": "no such" } },
  },
  trailers: {
    ...binary,
    trailers: {
      "grpc-status": "5",
      "grpc-message": "no%20such",
      "x-bin": "AAE=",
      "X-Upper": "Some",
    },
    wanted: {
      body: end("grpc-status:5\r\ngrpc-message:no%20such\r\nx-bin:AAE=\r\nx-upper:Some\r\n"),
    },
  },
  "trailers as text": {
    ...asText,
    trailers: { "grpc-status": "5", "x-twice": ["a", "b"] },
    wanted: { type: textType, body: base64(end("grpc-status:5\r\nx-twice:a\r\nx-twice:b\r\n")) },
  },
  "an answer of its own kind": {
    ...binary,
    head: { "content-type": web },
    answer: [two],
    wanted: { body: Buffer.concat([two, ended]) },
  },
  "no trailers": { type: web, parts: [one], head: grpc, answer: [two], wanted: { body: two } },
  "an answer that is no gRPC": {
    type: web,
    parts: [one],
    head: { ...html, ":status": 503, "content-length": "5" },
    answer: ["sorry"],
    wanted: { status: 503, body: "", fields: said("14", "sorry") },
  },
  "the same with 200": {
    type: web,
    parts: [one],
    head: html,
    answer: ["sorry"],
    wanted: { body: "", fields: said("2", "sorry") },
  },
  "the same for a reader of text": {
    type: text,
    fields: { accept: text },
    parts: [base64(one)],
    head: { ...html, ":status": 404 },
    answer: ["so", "rry \u20ac%"],
    wanted: { status: 404, type: textType, body: "", fields: said("12", "sorry %E2%82%AC%25") },
  },
  "the same without a body": {
    type: web,
    parts: [one],
    head: { ...html, ":status": 404 },
    wanted: { status: 404, body: "" },
  },
  "gRPC with another status": {
    ...binary,
    head: { ...grpc, ":status": 503 },
    answer: ["sorry"],
    wanted: { status: 503, body: "", fields: { "grpc-status": "14", "grpc-message": "sorry" } },
  },
  "a host that breaks off": { type: web, parts: [one], wanted: broken },
  "a host that breaks off, as text": {
    type: text,
    fields: { accept: text },
    parts: [base64(one)],
    wanted: { ...broken, type: textType },
  },
  "a route that answers": {
    path: "/direct",
    type: web,
    parts: [one],
    wanted: { status: 404, body: "", fields: said("12", "not here"), sent: undefined },
  },
  "no route": {
    path: "/none",
    type: web,
    parts: [one],
    wanted: { status: 404, body: "", sent: undefined },
  },
  "a route that turns it off": {
    ...binary,
    path: "/off/Ok",
    answer: [two],
    wanted: { ...plain, sent: { type: web } },
  },
  "encodings that the client knows": {
    ...binary,
    fields: { "grpc-accept-encoding": "gzip" },
    answer: [two],
    wanted: { body: Buffer.concat([two, ended]) },
  },
};

/** Of both protocols together; answers of the proxy's own have no status that counts. */
const counted = {
  "cluster.host.grpc-web.a.B.Ok.0": 24,
  "cluster.host.grpc-web.a.B.Ok.5": 6,
  "cluster.host.grpc-web.a.B.Ok.14": 0,
  "cluster.host.grpc-web.a.B.Ok.failure": 6,
  "cluster.host.grpc-web.a.B.Ok.success": 24,
  "cluster.host.grpc-web.a.B.Ok.total": 30,
  "cluster.host.grpc-web.off.Ok.total": 0,
};

const turnedOff = {
  "envoy.filters.http.grpc_web": {
    "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
    disabled: true,
  },
};
const routes = [
  {
    match: { prefix: "/direct" },
    direct_response: { status: 404, body: { inline_string: "not here" } },
  },
  { match: { prefix: "/a.B" }, route: { cluster: "host" } },
  { match: { prefix: "/off" }, route: { cluster: "host" }, typed_per_filter_config: turnedOff },
];

interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

forEachProxy("calls of browsers are gRPC to hosts", async (start, scope) => {
  let each: Case | undefined;
  let seen: Seen | undefined;
  const host = scope.use(
    await startHttp2Upstream(async (stream, headers) => {
      // What the proxy refuses half-way is broken off.
      const body = await buffer(stream).catch(() => undefined);
      if (body === undefined) return;
      seen = { headers, body };
      if (each?.head === undefined) stream.close(2);
      else await answer(stream, each);
    }),
  );
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [
        httpListener("edge", {
          http_filters: [httpFilter("grpc_web.v3.GrpcWeb"), httpFilter("router.v3.Router")],
          route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
        }),
      ],
      clusters: [http2Cluster("host", host.port)],
    },
  });
  const port = (await proxy.listenerPorts()).get("edge") ?? 0;
  const session = await connectHttp2(port);
  for (const [what, next] of Object.entries(cases)) {
    for (const send of [() => overHttp1(port, next), () => overHttp2(session, next)]) {
      each = next;
      seen = undefined;
      judge(await send(), next, what);
      judgeSent(seen, next, what);
    }
  }
  session.close();
  for (const [name, value] of Object.entries(counted))
    await until(async () => (await proxy.stat(name)) === value, `${name}: ${value}`);
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function judge({ status, headers, body }: Answer, { wanted }: Case, what: string): void {
  assert.equal(status, wanted.status ?? 200, what);
  assert.equal(headers["content-type"], wanted.type ?? `${web}+proto`, what);
  assert.deepEqual(body, Buffer.from(wanted.body), what);
  assert.partialDeepStrictEqual({ ...headers }, wanted.fields ?? {}, what);
}

function judgeSent(seen: Seen | undefined, { wanted, fields = {} }: Case, what: string): void {
  if ("sent" in wanted && wanted.sent === undefined) return assert.equal(seen, undefined, what);
  const type = wanted.sent?.type ?? "application/grpc";
  assert.equal(seen?.headers["content-type"], type, what);
  assert.deepEqual(seen?.body, wanted.sent?.body ?? one, what);
  const isCall = wanted.type !== plain.type;
  assert.equal(seen?.headers["te"], isCall ? "trailers" : undefined, what);
  const encodings = fields["grpc-accept-encoding"] ?? "identity";
  assert.equal(seen?.headers["grpc-accept-encoding"], isCall ? encodings : undefined, what);
}

async function overHttp1(port: number, each: Case): Promise<Answer> {
  const { path = "/a.B/Ok", type, fields = {}, parts = [] } = each;
  const headers = { "content-type": type, "transfer-encoding": "chunked", ...fields };
  const sent = request({ host: "127.0.0.1", port, path, method: "POST", agent: false, headers });
  for (const part of parts) await new Promise((written) => sent.write(part, written));
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const body = await buffer(response);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

async function overHttp2(session: ClientHttp2Session, each: Case): Promise<Answer> {
  const { path = "/a.B/Ok", type, fields = {}, parts = [] } = each;
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": type,
    ...fields,
  });
  for (const part of parts) await new Promise((written) => stream.write(part, written));
  stream.end();
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  return { status: Number(headers[":status"]), headers, body: await buffer(stream) };
}

async function answer(stream: ServerHttp2Stream, each: Case): Promise<void> {
  const { head = {}, answer: parts = [], trailers } = each;
  const endStream = parts.length === 0 && trailers === undefined;
  const waitForTrailers = trailers !== undefined;
  stream.respond({ ":status": 200, ...head }, { endStream, waitForTrailers });
  if (endStream) return;
  stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
  for (const part of parts) await new Promise((sent) => stream.write(part, sent));
  stream.end();
}
