/** How a connection ends and is held back, seen from both sides; the same with SLUICE_TEST_PROXY=envoy. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { httpProxy, staticCluster, tcpProxy } from "../../support/report-bootstrap.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { destroyClients, startUpstream, TestClient } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

/** HTTP connections that are done with are cut after 200 ms; a full buffer is 64 KiB. */
async function start(upstreamPort: number) {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up", timeout: "0s" } }];
  const proxy = await ProxyProcess.start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [
        httpProxy("web", routes, { delayed_close_timeout: "0.2s" }),
        tcpProxy("tcp", "up", {}, { per_connection_buffer_limit_bytes: 65_536 }),
      ],
      clusters: [staticCluster("up", [{ zone: "", ports: [upstreamPort] }])],
    },
  });
  const ports = await proxy.listenerPorts();
  const connect = (listener: string) => new TestClient(ports.get(listener) ?? 0);
  return { proxy, connect, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

/** Ends only when the other side has, and says then what it got. */
function answerAtEnd(socket: Socket): void {
  let received = 0;
  socket.on("data", (chunk: Buffer) => (received += chunk.length));
  socket.on("end", () => socket.end(`got ${received}`));
}

const totalBytes = 32 * 1024 * 1024;

/** Writes as fast as it is let, then ends. */
function pour(socket: Socket): void {
  const block = Buffer.alloc(256 * 1024, "x");
  let left = totalBytes;
  const pump = (): void => {
    while (left > 0) {
      left -= block.length;
      if (!socket.write(block)) return;
    }
    socket.off("drain", pump);
    socket.end();
  };
  socket.on("drain", pump);
  pump();
}

describe("a connection", () => {
  afterEach(destroyClients);

  test("TCP: one side ends, the other goes on", async () => {
    await using upstream = await startUpstream(answerAtEnd);
    await using proxy = await start(upstream.port);
    const client = proxy.connect("tcp");
    client.socket.end("x".repeat(100_000));
    await client.until(() => client.hasEnded);
    assert.equal(client.received.toString(), "got 100000");
    await until(
      async () => (await proxy.proxy.stat("listener.127.0.0.1_0.downstream_cx_active")) === 0,
      "the connection is over",
    );
    assert.equal(await proxy.proxy.stat("listener.127.0.0.1_0.downstream_cx_destroy"), 1);
  });

  test("TCP: what the upstream sent before it ended arrives, however slow the client", async () => {
    await using upstream = await startUpstream((socket) => {
      socket.resume();
      pour(socket);
    });
    await using proxy = await start(upstream.port);
    const client = proxy.connect("tcp");
    client.socket.pause();
    await client.connected();
    const stat = (name: string) => proxy.proxy.stat(`cluster.up.${name}`);
    await until(async () => (await stat("upstream_cx_total")) === 1, "it began");
    client.socket.resume();
    await client.until(() => client.hasEnded);
    assert.equal(client.receivedBytes, totalBytes);
    client.socket.end();
    await until(
      async () => (await stat("upstream_cx_rx_bytes_total")) === totalBytes,
      "all is counted",
    );
  });

  test("HTTP: what is left of a response goes out before its connection ends", async () => {
    await using upstream = await startUpstream((socket) => {
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${totalBytes}\r\n\r\n`);
        pour(socket);
      });
    });
    await using proxy = await start(upstream.port);
    const client = proxy.connect("web");
    client.socket.pause();
    client.socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    const paused = () => proxy.proxy.stat("cluster.up.upstream_flow_control_paused_reading_total");
    await until(async () => (await paused()) > 0, "the upstream is held back");
    client.socket.resume();
    await client.until(() => client.hasEnded);
    assert(client.receivedBytes > totalBytes);
    client.socket.end();
    const resumed = "cluster.up.upstream_flow_control_resumed_reading_total";
    assert((await proxy.proxy.stat(resumed)) > 0);
  });

  test("HTTP: a client that does not close what is over is cut after delayed_close_timeout", async () => {
    await using upstream = await startUpstream();
    await using proxy = await start(upstream.port);
    const client = proxy.connect("web");
    client.socket.write("no request\r\n\r\n");
    await client.until(() => client.hasEnded);
    assert.match(client.received.toString(), /^HTTP\/1.1 400 /);
    const name = "http.web.downstream_cx_delayed_close_timeout";
    await until(async () => (await proxy.proxy.stat(name)) === 1, "it is cut");
    assert.equal(await proxy.proxy.stat("http.web.downstream_cx_active"), 0);
  });
});
