import assert from "node:assert/strict";
import {
  clusterStats,
  httpStats,
  listenerHttpStats,
} from "../../../../src/shared/stats/stat-names.ts";
import { clusterConfig, hostConfig } from "../../../support/cluster-fixture.ts";
import { httpChain, route } from "../../../support/http-fixture.ts";
import { HttpClient, startHttpUpstream } from "../../../support/http-peers.ts";
import { listenerConfig } from "../../../support/listener-fixture.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { blockOf } from "../../../../src/shared/protocol/worker-command.ts";

forEachWorkerKind(
  "requests go up, responses come down, connections stay",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const cluster = workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const slots = workers.slots({ http: ["h"] });
    const chain = httpChain([route("/")]);
    const listener = await workers.addListener(listenerConfig({ filterChains: [chain] }), {
      slots,
    });
    const client = new HttpClient(listener.port);
    const first = await client.get("/a?b=c", ["X-Mixed: Case", "Connection: keep-alive"]);
    assert.equal(first.status, 200);
    assert.equal(first.headers["server"], "envoy");
    assert.match(first.headers["x-envoy-upstream-service-time"] ?? "", /^\d+$/);
    assert.equal(first.headers["connection"], undefined);
    const [seen] = upstream.requests;
    assert.equal(seen?.url, "/a?b=c");
    assert.equal(seen.headers.host, "test");
    assert.equal(seen.headers["x-mixed"], "Case");
    assert.equal(seen.headers["x-forwarded-proto"], "http");
    assert.equal(seen.headers["x-envoy-expected-rq-timeout-ms"], "15000");
    assert.match(String(seen.headers["x-request-id"]), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-/);

    client.send("POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello");
    assert.equal((await client.response()).body, "hello");
    client.send("POST /p HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3\r\nabc\r\n");
    client.send("2;x=y\r\nde\r\n0\r\nTrailer: v\r\n\r\n");
    assert.equal((await client.response()).body, "abcde");
    client.send("HEAD /p HTTP/1.1\r\nHost: t\r\n\r\n");
    assert.equal((await client.response(true)).status, 200);
    client.socket.destroy();

    const http = blockOf(slots.http, "h");
    await workers.untilCounted(() => workers.stat(httpStats, http, "downstream_cx_active") === 0);
    assert.equal(workers.stat(httpStats, http, "downstream_cx_total"), 1);
    assert.equal(workers.stat(httpStats, http, "downstream_rq_total"), 4);
    assert.equal(workers.stat(httpStats, http, "downstream_rq_2xx"), 4);
    assert.equal(workers.stat(httpStats, http, "downstream_rq_active"), 0);
    const listenerHttp = blockOf(slots.listenerHttp, "h");
    assert.equal(workers.stat(listenerHttpStats, listenerHttp, "downstream_rq_completed"), 4);
    assert.equal(workers.stat(clusterStats, cluster.stats, "upstream_cx_total"), 1);
    assert.equal(workers.stat(clusterStats, cluster.stats, "upstream_rq_total"), 4);
    assert.equal(workers.stat(clusterStats, cluster.stats, "upstream_rq_200"), 4);
    assert.equal(workers.stat(clusterStats, cluster.stats, "upstream_rq_active"), 0);
    assert.equal(workers.stat(clusterStats, cluster.stats, "upstream_rq_pending_active"), 0);
  },
);
