/** Flow control towards hosts of HTTP/2: a client that does not read holds its own stream back, and no other. */
import assert from "node:assert/strict";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { startProxy } from "../../../support/http-proxy.ts";
import { http2Options } from "../../../support/http2-options.ts";
import { startHttp2Upstream } from "../../../support/http2-upstream.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";

const totalBytes = 64 * 1024 * 1024;
const windowBytes = 128 * 1024;
const defaultWindowBytes = 16 * 1024 * 1024;

forEachWorkerKind(
  "one window is on its way to a client that does not read",
  { isShared: true },
  async (workers) => {
    let large: ServerHttp2Stream | undefined;
    const serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
      stream.respond({ ":status": 200 });
      if (headers[":path"] !== "/large") return void stream.end("small");
      large = stream;
      stream.end(Buffer.alloc(totalBytes, "x"));
    };
    // Node refuses streams of a session that has much to say.
    await using upstream = await startHttp2Upstream(serve, { maxSessionMemory: 1_000 });
    const proxy = await startProxy(workers, upstream.port, {
      bufferLimitBytes: 128 * 1024,
      cluster: { protocol: "http2", http2: http2Options({ streamWindowBytes: windowBytes }) },
    });
    const client = proxy.connect();
    client.socket.pause();
    client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n");
    const paused = (): number => proxy.cluster("upstream_flow_control_paused_reading_total");
    await workers.untilCounted(() => paused() > 0);
    await until(async () => {
      const before = proxy.cluster("upstream_cx_rx_bytes_total");
      await pinged(large);
      return proxy.cluster("upstream_cx_rx_bytes_total") < before + 100;
    }, "nothing comes but answers to pings");
    // What the kernel holds for the client, and no more than a window beside it.
    const received = proxy.cluster("upstream_cx_rx_bytes_total");
    assert.ok(received < defaultWindowBytes - windowBytes, String(received));
    const other = proxy.connect();
    assert.equal((await other.get("/")).body, "small");
    client.socket.resume();
    await client.until(() => client.receivedBytes > totalBytes);
    for (const each of [client, other]) each.socket.destroy();
    await proxy.settled();
    assert.equal(proxy.cluster("upstream_flow_control_resumed_reading_total"), paused());
  },
);

/** There and back: what the host had sent before has been read, and what that led to has come. */
async function pinged(stream: ServerHttp2Stream | undefined): Promise<void> {
  await new Promise((resolve) => {
    stream?.session?.ping(resolve);
  });
}
