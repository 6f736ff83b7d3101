/** Filters that see heads, bodies and trailers of both directions. */
import assert from "node:assert/strict";
import type { HttpConnectionManagerConfig } from "../../../../src/shared/config/http-config.ts";
import { sluiceWorkerStats } from "../../../../src/shared/stats/stat-names.ts";
import type { HeaderMatcher } from "../../../../src/shared/config/matchers.ts";
import { clusterAction, route, routeConfig, virtualHost } from "../../../support/http-fixture.ts";
import {
  type RawResponse,
  type SeenRequest,
  startHttpUpstream,
} from "../../../support/http-peers.ts";
import { startUpstream } from "../../../support/tcp-peers.ts";
import { startProxy, type TestProxy } from "../../../support/http-proxy.ts";
import { clientHttp1, serverHttp1 } from "../../../support/http1-options.ts";
import { connectHttp2, request, responseOf } from "../../../support/http2-client.ts";
import type { TestFilterConfig } from "../../../support/test-filter.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import { forEachWorkerKind, type TestWorkers } from "../../../support/test-workers.ts";

const httpFilterFiles = ["test/support/test-filter.ts"];

function managerOf(...configs: readonly TestFilterConfig[]): Partial<HttpConnectionManagerConfig> {
  const filters = configs.map((config) => ({
    kind: "module" as const,
    module: "test.filter",
    config: config as Readonly<Record<string, unknown>>,
  }));
  return {
    http1: serverHttp1({ trailers: true }),
    filters: [...filters, { kind: "router", suppressEnvoyHeaders: false }],
  };
}

interface Stage {
  readonly proxy: TestProxy;
  readonly seen: readonly SeenRequest[];
}

const trailing = { http1: clientHttp1({ trailers: true }) };

function forEachFilter(
  name: string,
  configs: readonly TestFilterConfig[],
  body: (stage: Stage, workers: TestWorkers) => Promise<void>,
  bufferLimitBytes?: number,
): void {
  forEachWorkerKind(name, { httpFilterFiles, concurrency: 1, isShared: true }, async (workers) => {
    await using upstream = await startHttpUpstream(({ url, body: sent, trailers }, response) => {
      if (url === "/trailers") {
        response.setHeader("trailer", "x-end");
        response.addTrailers({ "x-end": trailers["x-decoded-trailer"] ?? "none" });
      }
      if (url === "/long") response.setHeader("content-length", sent.length);
      response.end(sent);
    });
    const proxy = await startProxy(workers, upstream.port, {
      manager: managerOf(...configs),
      cluster: trailing,
      ...(bufferLimitBytes !== undefined && { bufferLimitBytes }),
    });
    await body({ proxy, seen: upstream.requests }, workers);
    await proxy.settled();
    assert.equal(proxy.http("downstream_rq_active"), 0);
  });
}

async function get(proxy: TestProxy): Promise<RawResponse> {
  const client = proxy.connect();
  const response = await client.get("/");
  client.socket.destroy();
  return response;
}

/** By HTTP/1.1 and by HTTP/2: status, body, fields. */
async function post(
  proxy: TestProxy,
  body: string,
  path = "/",
): Promise<readonly { status: number; body: string; headers: Record<string, unknown> }[]> {
  const client = proxy.connect();
  client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const first = await client.response();
  client.socket.destroy();
  const session = await connectHttp2(proxy.listener.port);
  const second = await request(session, { ":path": path, ":method": "POST" }, body);
  session.close();
  return [first, second];
}

const large = "some bytes of a body ".repeat(15_000);

forEachFilter(
  "requests pass in order, responses in the reverse; nothing else changes",
  [{ mark: "a" }, { mark: "b", does: "facts" }],
  async ({ proxy, seen }) => {
    for (const answer of await post(proxy, large)) {
      assert.equal(answer.body, large);
      assert.equal(answer.headers["x-encoded"], answer.headers["x-encoded"]?.toString());
      assert.match(String(answer.headers["x-encoded"]), /^b, ?a$/);
    }
    assert.deepEqual(
      seen.map(({ headers }) => headers["x-decoded"]),
      ["a, b", "a, b"],
    );
    assert.deepEqual(
      seen.map(({ headers }) => headers["x-facts"]),
      ["POST / HTTP/1.1", "POST / HTTP/2"],
    );
    assert.equal(seen[0]?.headers["content-length"], String(large.length));
    const got = await get(proxy);
    assert.deepEqual([got.status, got.body], [200, ""]);
    assert.equal(got.headers["x-destroyed"], "4");
  },
);

forEachFilter("a filter answers itself, at once", [{ does: "deny" }], async ({ proxy, seen }) => {
  for (const answer of await post(proxy, "x")) {
    assert.deepEqual([answer.status, answer.body], [403, "denied"]);
    assert.equal(answer.headers["x-why"], "because");
    assert.equal(typeof answer.headers["x-destroyed"], "string");
  }
  assert.equal(seen.length, 0);
});

forEachFilter("or later", [{ does: "denyLater" }], async ({ proxy, seen }) => {
  for (const answer of await post(proxy, large))
    assert.deepEqual([answer.status, answer.body], [403, "denied later"]);
  assert.equal(seen.length, 0);
});

for (const does of ["waitForRequest", "waitForResponse", "waitForData"] as const) {
  forEachFilter(
    `${does}: nothing is lost, nothing overtakes`,
    [{ mark: "a" }, { does }, { mark: "b" }],
    async (stage) => {
      for (const body of ["", "short", large])
        for (const answer of await post(stage.proxy, body)) {
          assert.equal(answer.status, 200);
          assert.equal(answer.body === body, true, `${answer.body.length} of ${body.length}`);
          assert.match(String(answer.headers["x-encoded"]), /^b, ?a$/);
          if (does === "waitForResponse") assert.equal(answer.headers["x-waited"], "yes");
        }
      const { headers } = stage.seen[0] ?? {};
      assert.equal(headers?.["x-decoded"], "a, b");
      if (does === "waitForRequest") assert.equal(headers?.["x-waited"], "yes");
    },
  );
}

forEachFilter(
  "heads wait for bodies that are kept together, both ways",
  [{ does: "bufferRequest" }, { does: "bufferResponse" }],
  async ({ proxy, seen }) => {
    for (const answer of await post(proxy, large)) {
      assert.deepEqual([answer.status, answer.body.length], [203, large.length]);
      assert.equal(answer.headers["x-length"], String(large.length));
    }
    for (const { headers, body } of seen) {
      assert.equal(headers["x-length"], String(large.length));
      assert.equal(body, large);
    }
    assert.equal((await get(proxy)).status, 200);
  },
);

forEachFilter(
  "a request that is too large to be kept is 413, a response 500",
  [{ does: "bufferRequest" }, { does: "bufferResponse" }],
  async ({ proxy }) => {
    const [one, two] = await post(proxy, "x".repeat(200_000));
    assert.deepEqual([one?.status, one?.body], [413, "Payload Too Large"]);
    assert.equal(two?.status, 413);
    assert.equal(proxy.http("downstream_rq_too_large"), 2);
  },
  100_000,
);

forEachFilter(
  "bytes are changed, and the length with them",
  [{ does: "upperRequest" }, { does: "upperResponse" }],
  async ({ proxy, seen }) => {
    for (const body of ["short", large])
      for (const answer of await post(proxy, body, "/long"))
        assert.equal(
          answer.body === body.toUpperCase(),
          true,
          `${answer.status} ${answer.body.length} of ${body.length} ${answer.body.slice(0, 100)}`,
        );
    for (const { headers } of seen) assert.equal(headers["content-length"], undefined);
    const got = await get(proxy);
    assert.deepEqual([got.status, got.body], [200, ""]);
  },
);

forEachFilter("trailers are changed both ways", [{ does: "trailers" }], async ({ proxy, seen }) => {
  const session = await connectHttp2(proxy.listener.port);
  const stream = session.request(
    { ":path": "/trailers", ":method": "POST" },
    { endStream: false, waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-own": "1" }));
  let trailers: Record<string, unknown> = {};
  stream.on("trailers", (fields) => (trailers = fields));
  stream.end("body");
  assert.equal((await responseOf(stream)).body, "body");
  assert.deepEqual({ ...seen[0]?.trailers }, { "x-own": "1", "x-decoded-trailer": "seen" });
  assert.deepEqual([trailers["x-end"], trailers["x-encoded-trailer"]], ["seen", "seen"]);
  session.close();
});

forEachFilter("a response is answered otherwise", [{ does: "denyResponse" }], async ({ proxy }) => {
  for (const answer of await post(proxy, large))
    assert.deepEqual([answer.status, answer.body], [502, "not that"]);
});

for (const throws of ["create", "decodeHeaders", "decodeData", "encodeHeaders", "encodeData"]) {
  forEachFilter(`${throws} throws: one request ends`, [{ throws }], async ({ proxy }, workers) => {
    const failures = (): number =>
      workers.stat(sluiceWorkerStats, workers.sluice, "http_filter_failures");
    const before = failures();
    for (const answer of await post(proxy, "body"))
      assert.deepEqual([answer.status, answer.body], [500, "Internal Server Error"]);
    assert.equal(failures() - before, 2);
  });
}

forEachFilter(
  "what only the codec may write is a fault of the filter",
  [{ does: "badField" }],
  async ({ proxy }) => {
    assert.equal((await get(proxy)).status, 500);
  },
);

interface Aimed {
  readonly filters: readonly TestFilterConfig[];
  readonly asked?: string;
  /** `METHOD path authority`, and what is beside; or the status without it. */
  readonly seen: string;
  /** Over HTTP/2, where that differs. */
  readonly seen2?: string;
}

const to = (line: TestFilterConfig["line"], clearsRoute = false): TestFilterConfig => ({
  line: line ?? {},
  clearsRoute,
});
/** As Envoy does it with what a Lua filter changes, but for what is no line of a request. */
const aimed: Readonly<Record<string, Aimed>> = {
  "a path, with its query": { filters: [to({ path: "/new?q=1" })], seen: "GET /new?q=1 a.test" },
  "an authority": { filters: [to({ authority: "b.test:80" })], seen: "GET /a?x=y b.test:80" },
  "a method": { filters: [to({ method: "PUT" })], seen: "PUT /a?x=y a.test" },
  "one filter behind the other": {
    filters: [to({ path: "/one", method: "PUT" }), { mark: "m" }, to({ path: "/two" })],
    seen: "PUT /two a.test x-decoded=m",
  },
  "a head that waits": {
    filters: [{ does: "waitForRequest", line: { path: "/later", authority: "b.test" } }],
    seen: "GET /later b.test x-waited=yes",
  },
  "its route rewrites what it finds": {
    asked: "/old/a",
    filters: [to({ path: "/old/b" })],
    seen: "GET /re/b a.test x-envoy-original-path=/old/b",
  },
  "and leaves what is not its own": {
    asked: "/old/a",
    filters: [to({ path: "/new" })],
    seen: "GET /new a.test",
  },
  "the route is kept": { filters: [to({ path: "/old/b" })], seen: "GET /old/b a.test" },
  "or found anew": {
    filters: [to({ path: "/old/b" }, true)],
    seen: "GET /re/b a.test x-envoy-original-path=/old/b",
  },
  "by what other filters make of it": {
    filters: [to({}, true), { mark: "routed" }],
    seen: "GET /re2/a?x=y a.test x-decoded=routed x-envoy-original-path=/a?x=y",
  },
  "and there may be none": { filters: [to({ authority: "nowhere.test" }, true)], seen: "404" },
  "nothing that is as it was": {
    filters: [to({ path: "/a?x=y", authority: "a.test", method: "GET" })],
    seen: "GET /a?x=y a.test",
  },
  "no blank in a path": { filters: [to({ path: "/a b" })], seen: "500" },
  "no line break": { filters: [to({ path: "/a HTTP/1.1\r\nx: y" })], seen: "500" },
  "no fragment": { filters: [to({ path: "/a#b" })], seen: "500" },
  "no path without a slash": { filters: [to({ path: "a" })], seen: "500" },
  "no authority that is none": { filters: [to({ authority: "a b" })], seen: "500" },
  "no empty one": { filters: [to({ authority: "" })], seen: "500" },
  "no method that is none": { filters: [to({ method: "A B" })], seen: "500" },
  "no method that the codec does not know": {
    filters: [to({ method: "UNHEARD" })],
    seen: "500",
    seen2: "400",
  },
  "no HEAD": { filters: [to({ method: "HEAD" })], seen: "500" },
  "no tunnel": { filters: [to({ method: "CONNECT" })], seen: "500" },
  "nothing that fits in no head": {
    filters: [to({ path: `/${"a".repeat(140_000)}` })],
    seen: "431",
  },
};

const isRouted: HeaderMatcher = {
  name: "x-decoded",
  match: { kind: "string", matcher: { kind: "exact", value: "routed", ignoreCase: false } },
  invert: false,
  treatMissingAsEmpty: false,
};
const routes = [
  route("/", {
    match: { ...route("/").match, headers: [isRouted] },
    action: clusterAction({ prefixRewrite: "/re2/" }),
  }),
  route("/old", { action: clusterAction({ prefixRewrite: "/re" }) }),
  route("/"),
];

forEachWorkerKind(
  "filters aim requests anew",
  { httpFilterFiles, concurrency: 1 },
  async (workers) => {
    await using upstream = await startHttpUpstream((_, response) => response.end("ok"));
    const shown = ["x-decoded", "x-waited", "x-envoy-original-path"];
    for (const [name, { filters, asked = "/a?x=y", seen, seen2 = seen }] of Object.entries(aimed)) {
      const domains = ["a.test", "b.test", "b.test:80"];
      const config = routeConfig({ virtualHosts: [virtualHost(domains, routes)] });
      const manager = { ...managerOf(...filters), routes: { kind: "inline" as const, config } };
      const proxy = await startProxy(workers, upstream.port, { manager });
      const said = (status: number): string => {
        if (status !== 200) return String(status);
        const { method, url, headers } = upstream.requests.at(-1) ?? assert.fail(name);
        const beside = shown.filter((each) => headers[each]);
        const fields = beside.map((each) => ` ${each}=${String(headers[each])}`);
        return `${method} ${url} ${headers.host}${fields.join("")}`;
      };
      const client = proxy.connect();
      client.send(`GET ${asked} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
      assert.equal(said((await client.response()).status), seen, name);
      client.socket.destroy();
      const session = await connectHttp2(proxy.listener.port);
      const { status } = await request(session, { ":path": asked, ":authority": "a.test" });
      assert.equal(said(status), seen2, `${name}, by HTTP/2`);
      session.close();
      await proxy.settled();
    }
  },
);

for (const does of ["upperRequest", "waitForRequest", "bufferRequest"])
  forEachFilter(
    `${does}: a request that is aimed anew keeps its body`,
    [{ does, line: { path: "/new", authority: "b.test" }, mark: "a" }],
    async ({ proxy, seen }) => {
      const sent = does === "upperRequest" ? large.toUpperCase() : large;
      for (const { status, body } of await post(proxy, large))
        assert.deepEqual([status, body === sent], [200, true]);
      for (const { url, headers, method } of seen)
        assert.deepEqual(
          [method, url, headers.host, headers["x-decoded"]],
          ["POST", "/new", "b.test", "a"],
        );
      assert.equal(seen.length, 2);
    },
  );

const tunnels: readonly (readonly [filter: TestFilterConfig, asks: string, seen: string])[] = [
  [
    to({ path: "/new", authority: "b.test" }, true),
    "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET /new HTTP/1.1 host: b.test connection: upgrade upgrade: websocket",
  ],
  [
    to({}, true),
    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
    "CONNECT a.test:443 HTTP/1.1 host: a.test:443",
  ],
];

forEachWorkerKind(
  "upgrades stay what they are",
  { httpFilterFiles, concurrency: 1 },
  async (workers) => {
    const heads: string[] = [];
    await using upstream = await startUpstream((socket) => {
      socket.once("data", (head: Buffer) => {
        heads.push(head.toString("latin1"));
        const answer =
          heads.at(-1)?.startsWith("GET") === true
            ? "101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket"
            : "200 OK";
        socket.write(`HTTP/1.1 ${answer}\r\n\r\n`);
        socket.pipe(socket);
      });
    });
    const upgrades = ["websocket", "connect"].map((type) => ({ type, isEnabled: true }));
    const connects = route("/", { match: { ...route("/").match, path: { kind: "connect" } } });
    for (const [filter, asks, seen] of tunnels) {
      const manager = { ...managerOf(filter), upgrades };
      const proxy = await startProxy(workers, upstream.port, {
        manager,
        routes: [connects, route("/")],
      });
      const client = proxy.connect();
      client.send(`${asks}ahead`);
      setTimeout(() => console.error(JSON.stringify([heads, client.rest])), 1500);
      await client.until(() => client.rest.includes("ahead"));
      const [line, ...fields] = heads.at(-1)?.split("\r\n") ?? [];
      const beside = fields.filter((each) => /^(host|upgrade|connection):/i.test(each));
      assert.equal([line, ...beside].join(" "), seen);
      client.socket.destroy();
      await proxy.settled();
    }
  },
);

interface Kind {
  readonly config?: TestFilterConfig;
  readonly status?: number;
  readonly body?: (sent: string) => string;
}

/** By the first part of the path; without a configuration the filter is off. */
const kinds: Readonly<Record<string, Kind>> = {
  off: {},
  mark: { config: { mark: "m" } },
  deny: { config: { does: "deny" }, status: 403, body: () => "denied" },
  denyLater: { config: { does: "denyLater" }, status: 403, body: () => "denied later" },
  denyResponse: { config: { does: "denyResponse" }, status: 502, body: () => "not that" },
  throws: {
    config: { throws: "decodeHeaders" },
    status: 500,
    body: () => "Internal Server Error",
  },
  waitForRequest: { config: { does: "waitForRequest", mark: "w" } },
  waitForResponse: { config: { does: "waitForResponse" } },
  waitForData: { config: { does: "waitForData" } },
  bufferRequest: { config: { does: "bufferRequest" } },
  bufferResponse: { config: { does: "bufferResponse" }, status: 203 },
  upperRequest: { config: { does: "upperRequest" }, body: (sent) => sent.toUpperCase() },
  upperResponse: { config: { does: "upperResponse" }, body: (sent) => sent.toUpperCase() },
  aimed: { config: { line: { path: "/elsewhere" } } },
};

forEachWorkerKind(
  "each request has its own filters",
  { httpFilterFiles, concurrency: 1 },
  async (workers) => {
    await using upstream = await startHttpUpstream(({ body }, response) => response.end(body));
    const switched = Object.entries(kinds).map(([kind, { config }]) =>
      route(`/${kind}/`, {
        filterSwitches: [
          {
            filter: "test",
            isOn: config !== undefined,
            ...(config && { own: { module: "test.filter", config: { ...config } } }),
          },
        ],
      }),
    );
    const { filters = [] } = managerOf({});
    const manager = {
      filters: filters.map((each) =>
        each.kind === "module" ? { ...each, filterName: "test" } : each,
      ),
    };
    const proxy = await startProxy(workers, upstream.port, { manager, routes: switched });
    const random = seededRandom(7);
    const names = Object.keys(kinds);
    const order = Array.from(
      { length: 60 },
      () => names[Math.floor(random.next() * names.length)] ?? "",
    );
    const ask = async (first: number): Promise<void> => {
      let client = proxy.connect();
      for (let i = first; i < order.length; i += 3) {
        const name = order[i] ?? "";
        const { status = 200, body = (sent: string): string => sent } = kinds[name] ?? {};
        const sent = `part ${i}, `.repeat(i * 3);
        client.send(
          `POST /${name}/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${sent.length}\r\n\r\n${sent}`,
        );
        const answer = await client.response();
        assert.deepEqual([name, answer.status, answer.body], [name, status, body(sent)]);
        if (answer.headers["connection"] !== "close") continue;
        client.socket.destroy();
        client = proxy.connect();
      }
      client.socket.destroy();
    };
    await Promise.all([ask(0), ask(1), ask(2)]);
    await proxy.settled();
  },
);

forEachWorkerKind(
  "what comes of a request behind its whole response, which a filter holds, is nobody's",
  { httpFilterFiles, concurrency: 1 },
  async (workers) => {
    const heads: string[] = [];
    await using upstream = await startUpstream((socket) => {
      socket.once("data", (head: Buffer) => {
        heads.push(head.toString("latin1"));
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      });
    });
    const manager = managerOf({ does: "holdResponse" });
    const proxy = await startProxy(workers, upstream.port, { manager });
    const client = proxy.connect();
    for (let round = 1; round <= 3; round++) {
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
      await workers.untilCounted(() => proxy.cluster("upstream_rq_completed") === round);
      client.send("rest");
      assert.equal((await client.response()).body, "ok");
    }
    // Each went to a connection of its own, since its host had not read all of the one before.
    assert.deepEqual(
      heads.map((head) => head.split(" ")[0]),
      ["POST", "POST", "POST"],
    );
    client.socket.destroy();
    await proxy.settled();
  },
);

forEachFilter(
  "a client that leaves is not waited for",
  [{ does: "denyLater" }],
  async ({ proxy }, workers) => {
    const client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await workers.untilCounted(() => proxy.http("downstream_rq_total") === 1);
    client.socket.resetAndDestroy();
    await workers.untilCounted(() => proxy.http("downstream_rq_active") === 0);
    assert.equal((await get(proxy)).status, 403);
  },
);
