/** Big bodies: exact both ways, and a slow side holds the other back. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { startUpstream } from "../../../support/tcp-peers.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

forEachWorkerKind(
  "bodies of every size and framing arrive exactly",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream(({ body, url }, response) => {
      const bytes = Buffer.from(body, "latin1");
      if (url === "/length") response.setHeader("content-length", bytes.length);
      if (url === "/close") response.setHeader("connection", "close");
      response.end(bytes);
    });
    const proxy = await startProxy(workers, upstream.port);
    const client = proxy.connect();
    for (const size of [1, 100, 4_000, 65_536, 65_537, 1_000_000]) {
      for (const path of ["/length", "/chunked", "/close"]) {
        const body = randomBytes(size);
        client.socket.write(`POST ${path} HTTP/1.1\r\nHost: t\r\nContent-Length: ${size}\r\n\r\n`);
        client.socket.write(body);
        const echoed = await client.response();
        assert.equal(sha(Buffer.from(echoed.body, "latin1")), sha(body), `${path} ${size}`);
        client.socket.write(
          `POST ${path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n`,
        );
        for (let at = 0; at < size; at += 10_007) {
          const part = body.subarray(at, at + 10_007);
          client.socket.write(`${part.length.toString(16)}\r\n`);
          client.socket.write(part);
          client.socket.write("\r\n");
        }
        client.socket.write("0\r\n\r\n");
        const again = await client.response();
        assert.equal(sha(Buffer.from(again.body, "latin1")), sha(body), `chunked ${path} ${size}`);
      }
    }
    client.socket.destroy();
    await proxy.settled();
  },
);

const totalBytes = 64 * 1024 * 1024;

forEachWorkerKind(
  "a client that stops reading stops the upstream",
  { isShared: true },
  async (workers) => {
    let sent = 0;
    const block = Buffer.alloc(256 * 1024, "x");
    await using upstream = await startUpstream((socket) => {
      const pump = (): void => {
        while (sent < totalBytes && !socket.destroyed) {
          sent += block.length;
          if (!socket.write(block)) break;
        }
      };
      socket.on("drain", pump);
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${totalBytes}\r\n\r\n`);
        pump();
      });
    });
    const proxy = await startProxy(workers, upstream.port, {
      bufferLimitBytes: 128 * 1024,
      cluster: { perConnectionBufferLimitBytes: 128 * 1024 },
    });
    const client = proxy.connect();
    client.socket.pause();
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    await workers.untilCounted(
      () => proxy.cluster("upstream_flow_control_paused_reading_total") > 0,
    );
    const atPause = proxy.cluster("upstream_cx_rx_bytes_total");
    assert.ok(atPause < totalBytes / 2, String(atPause));
    client.socket.resume();
    await client.until(() => client.receivedBytes > totalBytes);
    client.socket.destroy();
    await proxy.settled();
    assert.equal(
      proxy.cluster("upstream_flow_control_resumed_reading_total"),
      proxy.cluster("upstream_flow_control_paused_reading_total"),
    );
  },
);

forEachWorkerKind(
  "an upstream that stops reading stops the client",
  { isShared: true },
  async (workers) => {
    let received = 0;
    let go = (): void => {};
    await using upstream = await startUpstream((socket) => {
      socket.on("data", (chunk: Buffer) => {
        received += chunk.length;
        if (received === chunk.length) socket.pause();
        if (received > totalBytes) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      });
      go = () => void socket.resume();
    });
    const proxy = await startProxy(workers, upstream.port, {
      bufferLimitBytes: 128 * 1024,
      cluster: { perConnectionBufferLimitBytes: 128 * 1024 },
    });
    const client = proxy.connect();
    client.send(`POST / HTTP/1.1\r\nHost: t\r\nContent-Length: ${totalBytes}\r\n\r\n`);
    client.socket.write(Buffer.alloc(totalBytes));
    await workers.untilCounted(
      () => received > 0 && proxy.http("downstream_flow_control_paused_reading_total") > 0,
    );
    assert.ok(proxy.http("downstream_cx_rx_bytes_total") < totalBytes / 2);
    go();
    assert.equal((await client.response()).status, 200);
    client.socket.destroy();
    await proxy.settled();
  },
);
