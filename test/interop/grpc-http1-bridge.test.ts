/**
 * What `envoy.filters.http.grpc_http1_bridge` makes of calls over HTTP/1: the same calls run against Sluice and, with
 * SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { buffer } from "node:stream/consumers";
import { forEachProxy } from "../support/each-proxy.ts";
import { grpcFrame } from "../support/grpc-frames.ts";
import { connectHttp2, request as requestHttp2 } from "../support/http2-client.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { httpFilter } from "../support/http-filter-config.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener } from "../support/truth-resources.ts";

interface Case {
  readonly listener?: "plain" | "upgrading" | "ignoring";
  readonly path?: string;
  readonly type?: string;
  readonly parts?: readonly (Buffer | string)[];
  readonly hasLength?: boolean;
  /** What the host says; none: it resets. */
  readonly head?: OutgoingHttpHeaders;
  readonly answer?: readonly (Buffer | string)[];
  readonly trailers?: OutgoingHttpHeaders;
  /** What the client gets, and what the host has got, where that is not what most do. */
  readonly status?: number;
  readonly body: Buffer | string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly sentType?: string;
  readonly sent?: Buffer | string;
  /** The path that the host was asked for, and the route that led there. */
  readonly place?: string;
}

const grpc = "application/grpc";
const protobuf = "application/x-protobuf";
const one = grpcFrame("hello");
const two = grpcFrame("goodbye!");
const head = { "content-type": grpc };
const ok = { "grpc-status": "0" };
const failed = { "grpc-status": "5", "grpc-message": "no such", "x-other": "1" };
const said = { "grpc-status": "5", "grpc-message": "no such" };
const bare = { listener: "upgrading", type: protobuf, parts: ["hello"], head } as const;
const untouched = { sentType: protobuf, sent: "hello" };
const large = "x".repeat(70_000);

const cases: Readonly<Record<string, Case>> = {
  "a call": {
    head,
    answer: [two],
    trailers: ok,
    body: two,
    fields: { ...ok, "content-length": "13" },
  },
  "messages in many parts": {
    head,
    answer: [large, two, one],
    trailers: ok,
    body: Buffer.concat([Buffer.from(large), two, one]),
    fields: { ...ok, "content-length": "70023" },
  },
  "a query": {
    path: "/a.B/Ok?x=1",
    head,
    answer: [two],
    trailers: ok,
    body: two,
    place: "/a.B/Ok?x=1 query",
  },
  "a query that is ignored": {
    listener: "ignoring",
    path: "/a.B/Ok?x=1",
    head,
    answer: [two],
    trailers: ok,
    body: two,
    place: "/a.B/Ok query",
  },
  "a query that is ignored of a bare protobuf": {
    ...bare,
    listener: "ignoring",
    path: "/a.B/Ok?x=1",
    answer: [two],
    trailers: ok,
    body: "goodbye!",
    place: "/a.B/Ok grpc",
  },
  "an empty query that is ignored": {
    listener: "ignoring",
    path: "/a.B/Ok?",
    head,
    answer: [two],
    trailers: ok,
    body: two,
    place: "/a.B/Ok grpc",
  },
  "a query of no gRPC, where such are ignored": {
    listener: "ignoring",
    path: "/a.B/Ok?x=1",
    type: "text/plain",
    head,
    answer: [two],
    trailers: ok,
    body: two,
    sentType: "text/plain",
    place: "/a.B/Ok?x=1 query",
  },
  "an error": {
    head,
    answer: [two],
    trailers: failed,
    status: 503,
    body: two,
    fields: { ...said, "content-length": "13" },
  },
  "an error, and no message": {
    head,
    trailers: failed,
    status: 503,
    body: "",
    fields: { ...said, "content-length": "0" },
  },
  "a status that is none": {
    head,
    trailers: { "grpc-status": "x" },
    status: 503,
    body: "",
    fields: { "grpc-status": "x" },
  },
  "no status": { head, answer: [two], trailers: { "x-other": "1" }, body: two },
  "an error alone": { head: { ...head, ...said }, body: "", fields: said },
  "no trailers": { head, answer: [two], body: two },
  "an answer that is no gRPC": {
    head: { "content-type": "text/plain" },
    answer: [two],
    trailers: ok,
    body: two,
    fields: { "content-type": "text/plain", ...ok },
  },
  "another status": {
    head: { ":status": 503, "content-type": "text/plain" },
    answer: ["sorry"],
    status: 503,
    body: "sorry",
    fields: { "content-type": "text/plain" },
  },
  "a host that breaks off": { body: "", fields: { "grpc-status": "14" } },
  "no gRPC": {
    type: "text/plain",
    head,
    answer: [two],
    trailers: ok,
    body: two,
    sentType: "text/plain",
  },
  "a bare protobuf that nobody frames": {
    ...bare,
    listener: "plain",
    answer: [two],
    trailers: ok,
    body: two,
    ...untouched,
  },
  "a bare protobuf": {
    ...bare,
    answer: [two],
    trailers: ok,
    body: "goodbye!",
    fields: { ...ok, "content-length": "8" },
  },
  "one with a length": {
    ...bare,
    hasLength: true,
    answer: [two],
    trailers: ok,
    body: "goodbye!",
  },
  "one in parts": {
    ...bare,
    parts: ["h", "ell", "o"],
    answer: [two],
    trailers: ok,
    body: "goodbye!",
  },
  "one that is empty": {
    ...bare,
    parts: [],
    answer: [grpcFrame("")],
    trailers: ok,
    body: "",
    sent: "",
  },
  "one that fails": { ...bare, trailers: failed, status: 503, body: "", fields: said },
  "one that is answered in two messages": {
    ...bare,
    answer: [two, one],
    trailers: ok,
    body: Buffer.concat([two, one]).subarray(5),
  },
  "one whose answer is cut short": { ...bare, answer: ["abc"], trailers: ok, body: "" },
  "one whose answer has no trailers": { ...bare, answer: [two], body: "goodbye!" },
  "a protobuf of another name": {
    ...bare,
    type: "application/protobuf",
    answer: [two],
    trailers: ok,
    body: two,
    sentType: "application/protobuf",
    sent: "hello",
  },
  "gRPC where a bare one is framed": {
    listener: "upgrading",
    head,
    answer: [two],
    trailers: ok,
    body: two,
  },
};

interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

forEachProxy("calls over HTTP/1 are calls of gRPC", async (start, scope) => {
  let each: Case | undefined;
  let seen: Seen | undefined;
  const host = scope.use(
    await startHttp2Upstream(async (stream, headers) => {
      seen = { headers, body: await buffer(stream) };
      if (each?.head === undefined) stream.close(2);
      else await answer(stream, each);
    }),
  );
  const listener = (name: string, fields: object): object =>
    httpListener(name, {
      http_filters: [
        httpFilter("grpc_http1_bridge.v3.Config", fields),
        httpFilter("router.v3.Router"),
      ],
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [
              {
                match: {
                  prefix: "/",
                  query_parameters: [{ name: "x", string_match: { exact: "1" } }],
                },
                request_headers_to_add: [{ header: { key: "x-route", value: "query" } }],
                route: { cluster: "host" },
              },
              {
                match: { prefix: "/", grpc: {} },
                request_headers_to_add: [{ header: { key: "x-route", value: "grpc" } }],
                route: { cluster: "host" },
              },
              { match: { prefix: "/" }, route: { cluster: "host" } },
            ],
          },
        ],
      },
    });
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [
        listener("plain", {}),
        listener("upgrading", { upgrade_protobuf_to_grpc: true }),
        listener("ignoring", { upgrade_protobuf_to_grpc: true, ignore_query_parameters: true }),
      ],
      clusters: [http2Cluster("host", host.port)],
    },
  });
  const ports = await proxy.listenerPorts();
  for (const [what, next] of Object.entries(cases)) {
    each = next;
    seen = undefined;
    const { status, headers, body } = await call(ports.get(next.listener ?? "plain") ?? 0, next);
    assert.equal(status, next.status ?? 200, what);
    assert.deepEqual(body, Buffer.from(next.body), what);
    assert.partialDeepStrictEqual({ ...headers }, { "content-type": grpc, ...next.fields }, what);
    judgeSent(seen, next, what);
  }

  // Over HTTP/2 trailers are read.
  each = { head, answer: [two], trailers: failed, body: two };
  const session = await connectHttp2(ports.get("plain") ?? 0);
  const over = { ":method": "POST", ":path": "/a.B/Ok", "content-type": grpc };
  assert.equal((await requestHttp2(session, over, one)).status, 200);
  const asked = { ...over, ":path": "/a.B/Ok?x=1" };
  const other = await connectHttp2(ports.get("ignoring") ?? 0);
  assert.equal((await requestHttp2(other, asked, one)).status, 200);
  assert.deepEqual(placeOf(seen), "/a.B/Ok?x=1 query");
  other.close();
  session.close();
});

function placeOf(seen: Seen | undefined): string {
  const headers = seen?.headers;
  return `${String(headers?.[":path"])} ${String(headers?.["x-route"] ?? "")}`.trim();
}

function judgeSent(
  seen: Seen | undefined,
  { sentType = grpc, sent = one, place = sentType === grpc ? "/a.B/Ok grpc" : "/a.B/Ok" }: Case,
  what: string,
): void {
  assert.equal(placeOf(seen), place, what);
  assert.equal(seen?.headers["content-type"], sentType, what);
  assert.deepEqual(seen?.body, Buffer.from(sent), what);
}

async function call(
  port: number,
  each: Case,
): Promise<{
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}> {
  const { path = "/a.B/Ok", type = grpc, parts = [one], hasLength = false } = each;
  const framing = hasLength ? { "content-length": "5" } : { "transfer-encoding": "chunked" };
  const headers = { "content-type": type, ...framing };
  const sent = request({ host: "127.0.0.1", port, path, method: "POST", agent: false, headers });
  for (const part of parts) await new Promise((written) => sent.write(part, written));
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const body = await buffer(response);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

async function answer(stream: ServerHttp2Stream, each: Case): Promise<void> {
  const { head: fields = {}, answer: parts = [], trailers } = each;
  const endStream = parts.length === 0 && trailers === undefined;
  const waitForTrailers = trailers !== undefined;
  stream.respond({ ":status": 200, ...fields }, { endStream, waitForTrailers });
  if (endStream) return;
  stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
  for (const part of parts) await new Promise((written) => stream.write(part, written));
  stream.end();
}
