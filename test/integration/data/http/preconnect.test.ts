/** Connections of HTTP/1 that are there before their requests; of HTTP/2 see `upstream-http2-pools.test.ts`. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { hostConfig } from "../../../support/cluster-fixture.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { startUpstream } from "../../../support/tcp-peers.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

forEachWorkerKind(
  "each request has connections ahead of it",
  { concurrency: 1, isShared: true },
  async (workers) => {
    let connections = 0;
    const asked: Socket[] = [];
    await using upstream = await startUpstream((socket) => {
      connections++;
      socket.on("data", () => void asked.push(socket));
    });
    const proxy = await startProxy(workers, upstream.port, { cluster: { preconnectRatio: 1.5 } });
    const clients = [proxy.connect(), proxy.connect()] as const;
    clients[0].send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    await workers.untilCounted(() => asked.length === 1 && connections === 2);
    clients[1].send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    await workers.untilCounted(() => asked.length === 2 && connections === 3);
    assert.equal(proxy.cluster("upstream_rq_pending_total"), 1);
    for (const socket of asked.splice(0)) socket.write(ok);
    for (const client of clients) assert.equal((await client.response()).status, 200);
    for (const client of clients) client.socket.destroy();
    await proxy.settled();
    assert.equal(proxy.cluster("upstream_cx_total"), 3);
  },
);

forEachWorkerKind(
  "a host that is not well gets none ahead",
  { concurrency: 1, isShared: true },
  async (workers) => {
    let connections = 0;
    await using upstream = await startUpstream((socket) => {
      connections++;
      socket.on("data", () => void socket.write(ok));
    });
    const proxy = await startProxy(workers, upstream.port, {
      cluster: { preconnectRatio: 3 },
      hosts: [hostConfig(upstream.port, { health: "degraded" })],
    });
    const client = proxy.connect();
    for (let i = 0; i < 5; i++) assert.equal((await client.get("/")).status, 200);
    client.socket.destroy();
    await proxy.settled();
    assert.equal(connections, 1);
  },
);
