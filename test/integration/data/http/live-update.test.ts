/** An update under open connections: the next request has it, the one under way does not notice. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import type { AccessLogConfig } from "../../../../src/shared/config/access-log-config.ts";
import type {
  HttpConnectionManagerConfig,
  HttpFilterConfig,
} from "../../../../src/shared/config/http-config.ts";
import type { Route } from "../../../../src/shared/config/route-config.ts";
import { httpChain, route } from "../../../support/http-fixture.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy, type TestProxy } from "../../../support/http-proxy.ts";
import { listenerConfig } from "../../../support/listener-fixture.ts";
import { forEachWorkerKind, type TestWorkers } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";

const router: HttpFilterConfig = { kind: "router", suppressEnvoyHeaders: false };
const marking = (value: string): HttpFilterConfig => ({
  kind: "headerMutation",
  request: [{ add: [{ name: "x-version", value, action: "overwrite" }], remove: [] }],
  response: [{ add: [{ name: "x-version", value, action: "overwrite" }], remove: [] }],
});
const logTo = (file: string, text: string): readonly AccessLogConfig[] => [
  {
    kind: "line",
    filter: undefined,
    sink: { kind: "file", path: file },
    format: { kind: "text", parts: [{ kind: "literal", text }] },
  },
];

/** The chain stays, its revision does not. */
async function update(
  workers: TestWorkers,
  { listener }: TestProxy,
  routes: readonly Route[],
  manager: Partial<HttpConnectionManagerConfig>,
): Promise<void> {
  const chain = { ...httpChain(routes, manager), revision: JSON.stringify([routes, manager]) };
  await workers.request((reply) => ({
    kind: "updateFilterChains",
    tag: listener.tag,
    config: listenerConfig({ filterChains: [chain] }),
    slots: listener.slots,
    reply,
  }));
}

forEachWorkerKind(
  "an open connection has new routes and filters on its next request",
  {},
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const direct = route("/", { action: { kind: "directResponse", status: 202, body: "" } });
    const proxy = await startProxy(workers, upstream.port, {
      manager: { filters: [marking("1"), router], serverName: "one" },
    });
    const clients = Array.from({ length: 8 }, () => proxy.connect());
    for (const client of clients) {
      const before = await client.get("/");
      assert.deepEqual(
        [before.status, before.headers["x-version"], before.headers["server"]],
        [200, "1", "one"],
      );
    }
    await update(workers, proxy, [direct], { filters: [marking("2"), router], serverName: "two" });
    for (const client of clients) {
      const after = await client.get("/");
      assert.deepEqual(
        [after.status, after.headers["x-version"], after.headers["server"]],
        [202, "2", "two"],
      );
      assert.equal(after.headers["connection"], undefined);
    }
    // And those who come later, on the same chain.
    assert.equal((await proxy.connect().get("/")).headers["x-version"], "2");
    assert.equal(proxy.http("downstream_cx_drain_close"), 0);
    assert.equal(proxy.http("downstream_cx_total"), 9);
  },
);

forEachWorkerKind(
  "a request under way is answered and logged by the configuration of its beginning",
  {},
  async (workers) => {
    let held: ServerResponse | undefined;
    await using upstream = await startHttpUpstream((request, response) => {
      if (request.url === "/held") held = response;
      else response.end();
    });
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-live-"));
    const [first, second] = [path.join(folder, "first"), path.join(folder, "second")];
    const proxy = await startProxy(workers, upstream.port, {
      manager: {
        filters: [marking("1"), router],
        serverName: "one",
        accessLog: logTo(first, "old\n"),
      },
    });
    const busy = proxy.connect();
    busy.send("GET /held HTTP/1.1\r\nHost: t\r\n\r\n");
    await until(() => held !== undefined, "the request reached the upstream");
    for (const serverName of ["two", "three"])
      await update(workers, proxy, [route("/")], {
        filters: [marking(serverName), router],
        serverName,
        accessLog: logTo(second, "new\n"),
      });
    assert.equal((await proxy.connect().get("/")).headers["server"], "three");
    held?.end();
    const answer = await busy.response();
    assert.deepEqual([answer.headers["x-version"], answer.headers["server"]], ["1", "one"]);
    const next = await busy.get("/");
    assert.deepEqual([next.headers["x-version"], next.headers["server"]], ["three", "three"]);
    await until(
      () => readText(first) === "old\n" && readText(second) === "new\nnew\n",
      "both logs are written",
    );
    rmSync(folder, { recursive: true });
  },
);

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
