/**
 * What Envoy makes of `internal_redirect_policy`, case by case: the same table runs against Sluice and, with
 * SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { forEachProxy } from "../support/each-proxy.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

const predicate = (name: string, type: string, fields: object = {}): object => ({
  name: `envoy.internal_redirect_predicates.${name}`,
  typed_config: {
    "@type": `type.googleapis.com/envoy.extensions.internal_redirect.${name}.v3.${type}`,
    ...fields,
  },
});
const safeScheme = predicate("safe_cross_scheme", "SafeCrossSchemeConfig");
const unvisited = predicate("previous_routes", "PreviousRoutesConfig");
const listed = predicate("allow_listed_routes", "AllowListedRoutesConfig", {
  allowed_route_names: ["/end"],
});

const follow = (path: string, policy: object, fields: object = {}): object => ({
  name: path,
  match: { prefix: path },
  route: { cluster: "host", internal_redirect_policy: policy, ...fields },
});
const adds = (key: string): object => ({
  request_headers_to_add: [{ header: { key, value: "1" } }],
});

const routes = [
  { ...follow("/plain", {}), ...adds("x-first") },
  follow("/codes", { redirect_response_codes: [301, 303, 307, 308, 305] }),
  follow("/twice", { max_internal_redirects: 2 }),
  follow("/never", { max_internal_redirects: 0 }),
  follow("/cross", { allow_cross_scheme_redirect: true }),
  follow("/safe", { allow_cross_scheme_redirect: true, predicates: [safeScheme] }),
  follow("/listed", { predicates: [listed] }),
  follow("/previous", { max_internal_redirects: 5, predicates: [unvisited] }),
  follow("/copy", { response_headers_to_copy: ["x-copied", "x-cleared"] }),
  follow("/rewritten", {}, { prefix_rewrite: "/there", host_rewrite_literal: "other.test" }),
  { name: "/gone", match: { prefix: "/gone" }, redirect: { path_redirect: "/moved" } },
  { name: "/end", match: { prefix: "/end" }, route: { cluster: "host" }, ...adds("x-last") },
  { name: "/off", match: { prefix: "/off" }, route: { cluster: "host" } },
];
const domains = ["a.test", "b.test", "b.test:8080"];
const listener = httpListener("edge", {
  use_remote_address: true,
  http_protocol_options: { enable_trailers: true },
  route_config: { name: "routes", virtual_hosts: [{ name: "all", domains, routes }] },
});

/** What the last host saw. */
interface Seen {
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Case {
  readonly path: string;
  /** Where the host leads to. */
  readonly location?: string;
  readonly code?: number;
  readonly method?: string;
  readonly body?: string;
  readonly fields?: Readonly<Record<string, string>>;
  /** Over HTTP/1; they get lost on the way. */
  readonly hasTrailers?: boolean;
  readonly status: number;
  readonly seen?: Partial<Seen>;
  readonly absent?: readonly string[];
}

const end = "http://b.test/end?x=1";
const post = { method: "POST", body: "hello" };
const atEnd = { method: "GET", url: "/end?x=1", body: "" };

const cases: Readonly<Record<string, Case>> = {
  "a 302": {
    path: "/plain/a?b=1",
    location: end,
    status: 200,
    seen: {
      ...atEnd,
      headers: {
        host: "b.test",
        "x-first": "1",
        "x-last": "1",
        "x-forwarded-proto": "http",
        "x-envoy-external-address": "127.0.0.1",
        "x-envoy-expected-rq-timeout-ms": "15000",
        "x-envoy-original-url": "http://a.test/plain/a?b=1",
      },
    },
  },
  "a 302 with a body": {
    path: "/plain",
    location: end,
    ...post,
    status: 200,
    seen: { ...atEnd, ...post, headers: { "content-length": "5" } },
  },
  "a body in chunks": {
    path: "/plain",
    location: end,
    ...post,
    fields: { "transfer-encoding": "chunked" },
    status: 200,
    seen: { ...atEnd, ...post },
  },
  "a body with trailers": {
    path: "/plain",
    location: end,
    ...post,
    fields: { "transfer-encoding": "chunked" },
    hasTrailers: true,
    status: 200,
    seen: { ...atEnd, ...post },
  },
  "a large body": {
    path: "/plain",
    location: end,
    method: "POST",
    body: "b".repeat(200_000),
    status: 200,
    seen: { method: "POST", body: "b".repeat(200_000) },
  },
  "a code that is not asked for": { path: "/plain", location: end, code: 301, status: 301 },
  "a code that is none": { path: "/codes", location: end, code: 305, status: 305 },
  "303 makes it a GET": {
    path: "/codes",
    location: end,
    code: 303,
    ...post,
    status: 200,
    seen: atEnd,
    absent: ["content-length", "transfer-encoding"],
  },
  "307 does not": {
    path: "/codes",
    location: end,
    code: 307,
    ...post,
    status: 200,
    seen: { ...atEnd, ...post },
  },
  "no location": { path: "/plain", code: 302, status: 302 },
  "a path alone": { path: "/plain", location: "/end", status: 302 },
  "no URL": { path: "/plain", location: "http://", status: 302 },
  "another scheme": { path: "/plain", location: "ftp://b.test/end", status: 302 },
  "a fragment": {
    path: "/plain",
    location: `${end}#part`,
    status: 200,
    seen: { url: "/end?x=1", headers: { host: "b.test" } },
  },
  "a port": {
    path: "/plain",
    location: "http://b.test:8080/end",
    status: 200,
    seen: { url: "/end", headers: { host: "b.test:8080" } },
  },
  "a user": {
    path: "/plain",
    location: "http://u:p@b.test/end",
    status: 200,
    seen: { url: "/end", headers: { host: "b.test" } },
  },
  "no path": { path: "/plain", location: "http://b.test", status: 302 },
  https: { path: "/plain", location: "https://b.test/end", status: 302 },
  "https where it may": { path: "/cross", location: "https://b.test/end", status: 200 },
  "https that is not safe": { path: "/safe", location: "https://b.test/end", status: 302 },
  "http that is": { path: "/safe", location: end, status: 200 },
  "no route": { path: "/plain", location: "http://b.test/nowhere", status: 302 },
  "no virtual host": { path: "/plain", location: "http://c.test/end", status: 302 },
  "a route that follows none": { path: "/never", location: end, status: 302 },
  "a circle": { path: "/plain", location: "http://b.test/plain", status: 302 },
  "a larger circle": { path: "/twice", location: "http://b.test/twice", status: 302 },
  "a route that is listed": { path: "/listed", location: end, status: 200, seen: atEnd },
  "one that is not": { path: "/listed", location: "http://b.test/off", status: 302 },
  "a previous route": { path: "/previous", location: "http://b.test/previous", status: 302 },
  "fields of the redirect": {
    path: "/copy",
    location: end,
    fields: { "x-copied": "before", "x-cleared": "before" },
    status: 200,
    seen: { ...atEnd, headers: { "x-copied": "by the host" } },
    absent: ["x-cleared"],
  },
  "a request that was rewritten": {
    path: "/rewritten/q?z=1",
    location: end,
    status: 200,
    seen: {
      ...atEnd,
      headers: {
        "x-envoy-original-host": "a.test",
        "x-envoy-original-path": "/rewritten/q?z=1",
        "x-envoy-original-url": "http://other.test/there/q?z=1",
      },
    },
  },
  "a route that answers": { path: "/plain", location: "http://b.test/gone", status: 301 },
  "a route without a policy": { path: "/off", location: end, status: 302 },
};

/** Of both protocols together. */
const counted = {
  "cluster.host.upstream_internal_redirect_succeeded_total": 40,
  "cluster.host.upstream_internal_redirect_failed_total": 28,
  "http.edge.passthrough_internal_redirect_bad_location": 4,
  "http.edge.passthrough_internal_redirect_unsafe_scheme": 4,
  "http.edge.passthrough_internal_redirect_no_route": 6,
  "http.edge.passthrough_internal_redirect_predicate": 6,
  "http.edge.passthrough_internal_redirect_too_many_redirects": 6,
  "http.edge.rq_direct_response": 2,
  "http.edge.downstream_rq_total": 106,
  "http.edge.downstream_rq_completed": 66,
  "http.edge.downstream_rq_active": 0,
};

forEachProxy("redirects of hosts are followed as Envoy follows them", async (start, scope) => {
  const port = await startHost(scope);
  const clusters = [staticCluster("host", port)];
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: { listeners: [listener], clusters },
  });
  const edge = (await proxy.listenerPorts()).get("edge") ?? 0;
  for (const [what, each] of Object.entries(cases)) {
    judge(await overHttp1(edge, each), each, what);
    judge(await overHttp2(edge, each), each, `${what}, over HTTP/2`);
  }
  for (const [name, value] of Object.entries(counted)) {
    await until(async () => (await proxy.stat(name)) === value, `${name}: ${value}`);
  }
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

function judge(answer: Answer, { status, seen, absent = [] }: Case, what: string): void {
  assert.equal(answer.status, status, what);
  if (seen === undefined) return;
  const { headers, ...line } = JSON.parse(answer.body) as Seen;
  const { headers: fields = {}, ...wanted } = seen;
  assert.partialDeepStrictEqual({ ...line }, wanted, what);
  assert.partialDeepStrictEqual({ ...headers }, fields, what);
  for (const name of absent) assert.equal(headers[name], undefined, `${what}: ${name}`);
}

function fieldsOf({ location, code, fields }: Case): Record<string, string> {
  return {
    ...(location === undefined ? {} : { "x-location": location }),
    ...(code === undefined ? {} : { "x-code": String(code) }),
    ...fields,
  };
}

async function overHttp1(port: number, each: Case): Promise<Answer> {
  const { path, method = "GET", body } = each;
  const length =
    body === undefined || each.fields?.["transfer-encoding"] !== undefined
      ? {}
      : { "content-length": String(body.length) };
  const headers = { host: "a.test", ...length, ...fieldsOf(each) };
  const sent = request({ host: "127.0.0.1", port, path, method, agent: false, headers });
  if (each.hasTrailers === true) sent.addTrailers({ "x-trailer": "1" });
  sent.end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

async function overHttp2(port: number, each: Case): Promise<Answer> {
  const { "transfer-encoding": chunked, ...fields } = fieldsOf(each);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const length = each.body === undefined ? {} : { "content-length": String(each.body.length) };
  const stream = session.request({
    ":path": each.path,
    ":method": each.method ?? "GET",
    ":authority": "a.test",
    ...(chunked === undefined ? length : {}),
    ...fields,
  });
  stream.end(each.body);
  const [headers] = (await once(stream, "response")) as [{ ":status": number }];
  const body = await text(stream);
  session.close();
  return { status: headers[":status"], body };
}

/** Leads where the request says, but at `/end` says what it saw. */
async function startHost(scope: AsyncDisposableStack): Promise<number> {
  const server = createServer((incoming, response) => void answer(incoming, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = "", headers } = incoming;
  const body = await text(incoming);
  if (url.startsWith("/end")) {
    response.end(JSON.stringify({ method, url, body, headers }));
    return;
  }
  const location = headers["x-location"];
  const code = Number(headers["x-code"] ?? 302);
  response.writeHead(code, {
    "x-copied": "by the host",
    ...(typeof location === "string" && { location }),
  });
  response.end("moved");
}
