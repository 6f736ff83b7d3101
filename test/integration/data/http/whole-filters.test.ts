/** Filters that see heads, bodies and trailers of both directions. */
import assert from "node:assert/strict";
import type { HttpConnectionManagerConfig } from "../../../../src/shared/config/http-config.ts";
import { sluiceWorkerStats } from "../../../../src/shared/stats/stat-names.ts";
import {
  type RawResponse,
  type SeenRequest,
  startHttpUpstream,
} from "../../../support/http-peers.ts";
import { startProxy, type TestProxy } from "../../../support/http-proxy.ts";
import { clientHttp1, serverHttp1 } from "../../../support/http1-options.ts";
import { connectHttp2, request, responseOf } from "../../../support/http2-client.ts";
import type { TestFilterConfig } from "../../../support/test-filter.ts";
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
