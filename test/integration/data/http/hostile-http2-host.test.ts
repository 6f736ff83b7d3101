/** Hosts that break HTTP/2: each costs its connection, never more, and the client is told. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import fc from "fast-check";
import { clientPreface, frameType, setting } from "../../../../src/data/http/http2/frames.ts";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { block, frame, whole } from "../../../support/raw-http2.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

const ok = block([[":status", "200"]]);
const settings = frame(frameType.settings, 0, 0);
const endHeaders = 4;

/** Says `answer` when the client's first request may have come, whatever it was. */
class RawHost implements AsyncDisposable {
  answer: Buffer = Buffer.alloc(0);
  readonly #server = net.createServer((socket) => {
    socket.on("error", () => {});
    let length = 0;
    socket.on("data", (data) => {
      const before = length;
      length += data.length;
      if (before <= clientPreface.length && length > clientPreface.length)
        socket.write(this.answer);
    });
  });
  readonly #sockets = new Set<net.Socket>();

  static async start(): Promise<RawHost> {
    const host = new RawHost();
    host.#server.on("connection", (socket) => host.#sockets.add(socket));
    host.#server.listen(0, "127.0.0.1");
    await once(host.#server, "listening");
    return host;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const oneSetting = (id: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([0, id]), word(value)]);
const head = frame(frameType.headers, endHeaders, 1, ok);

/** What ends the connection, by what is wrong with it. */
const illegal: Readonly<Record<string, Buffer>> = {
  "HTTP/1 in place of SETTINGS": Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
  "no SETTINGS first": frame(frameType.ping, 0, 0, Buffer.alloc(8)),
  PUSH_PROMISE: Buffer.concat([settings, frame(frameType.pushPromise, endHeaders, 1, word(2))]),
  "a stream of its own": Buffer.concat([settings, frame(frameType.headers, whole, 2, ok)]),
  "a stream that nobody opened": Buffer.concat([settings, frame(frameType.headers, whole, 99, ok)]),
  "DATA of an idle stream": Buffer.concat([settings, frame(frameType.data, 1, 99, "x")]),
  "DATA before the head": Buffer.concat([settings, frame(frameType.data, 1, 1, "x")]),
  "a broken header block": Buffer.concat([
    settings,
    frame(frameType.headers, whole, 1, Buffer.from([0xff, 0xff])),
  ]),
  "no status": Buffer.concat([settings, frame(frameType.headers, whole, 1, block([["a", "b"]]))]),
  "a status of letters": Buffer.concat([
    settings,
    frame(frameType.headers, whole, 1, block([[":status", "2xx"]])),
  ]),
  "101": Buffer.concat([
    settings,
    frame(frameType.headers, endHeaders, 1, block([[":status", "101"]])),
  ]),
  "an interim head that ends": Buffer.concat([
    settings,
    frame(frameType.headers, whole, 1, block([[":status", "103"]])),
  ]),
  "a path in a response": Buffer.concat([
    settings,
    frame(
      frameType.headers,
      whole,
      1,
      block([
        [":status", "200"],
        [":path", "/"],
      ]),
    ),
  ]),
  "an upper-case name": Buffer.concat([
    settings,
    frame(
      frameType.headers,
      whole,
      1,
      block([
        [":status", "200"],
        ["A", "b"],
      ]),
    ),
  ]),
  "a connection field": Buffer.concat([
    settings,
    frame(
      frameType.headers,
      whole,
      1,
      block([
        [":status", "200"],
        ["connection", "close"],
      ]),
    ),
  ]),
  "a line break in a value": Buffer.concat([
    settings,
    frame(
      frameType.headers,
      whole,
      1,
      block([
        [":status", "200"],
        ["a", "b\r\nc: d"],
      ]),
    ),
  ]),
  "two lengths": Buffer.concat([
    settings,
    frame(
      frameType.headers,
      endHeaders,
      1,
      block([
        [":status", "200"],
        ["content-length", "1"],
        ["content-length", "2"],
      ]),
    ),
  ]),
  "a length without a body": Buffer.concat([
    settings,
    frame(
      frameType.headers,
      whole,
      1,
      block([
        [":status", "200"],
        ["content-length", "1"],
      ]),
    ),
  ]),
  "a frame that is too large": Buffer.concat([
    settings,
    frame(frameType.data, 0, 1, Buffer.alloc(16_385)),
  ]),
  "a PING of the wrong size": Buffer.concat([settings, frame(frameType.ping, 0, 0, "x")]),
  ENABLE_PUSH: frame(frameType.settings, 0, 0, oneSetting(setting.enablePush, 1)),
  "a window that is too large": frame(
    frameType.settings,
    0,
    0,
    oneSetting(setting.initialWindowSize, 2 ** 31),
  ),
  "a window that overflows": Buffer.concat([
    settings,
    frame(frameType.windowUpdate, 0, 0, word(2 ** 31 - 1)),
  ]),
  "an increment of nothing": Buffer.concat([
    settings,
    frame(frameType.windowUpdate, 0, 0, word(0)),
  ]),
  "a CONTINUATION of nothing": Buffer.concat([
    settings,
    frame(frameType.continuation, endHeaders, 1, ok),
  ]),
  "a head that is left open": Buffer.concat([
    settings,
    frame(frameType.headers, 0, 1, ok),
    frame(frameType.ping, 0, 0, Buffer.alloc(8)),
  ]),
  "more padding than payload": Buffer.concat([
    settings,
    frame(frameType.headers, whole | 8, 1, Buffer.from([9, 1])),
  ]),
  "empty DATA without end": Buffer.concat([
    settings,
    head,
    ...Array.from({ length: 5 }, () => frame(frameType.data, 0, 1)),
  ]),
};

forEachWorkerKind(
  "every illegal frame of a host ends its one connection",
  { isShared: true },
  async (workers) => {
    await using host = await RawHost.start();
    const proxy = await startProxy(workers, host.port, { cluster: { protocol: "http2" } });
    let ended = 0;
    for (const [name, answer] of Object.entries(illegal)) {
      host.answer = answer;
      const client = proxy.connect();
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await client.until(() => client.received.length > 0 || client.hasClosed);
      const status = client.received.toString("latin1", 9, 12);
      // A head that was good has gone on already.
      if (name !== "empty DATA without end") assert.equal(status, "502", name);
      client.socket.destroy();
      ended++;
      await workers.untilCounted(() => proxy.cluster("upstream_cx_destroy") === ended);
      assert.equal(proxy.cluster("upstream_cx_protocol_error"), ended, name);
    }
    host.answer = Buffer.concat([settings, frame(frameType.headers, whole, 1, ok)]);
    const client = proxy.connect();
    assert.equal((await client.get("/")).status, 200);
    client.socket.end();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "whatever frames a host sends, the next one is served",
  { isShared: true },
  async (workers) => {
    await using host = await RawHost.start();
    const proxy = await startProxy(workers, host.port, {
      routes: [route("/", { action: clusterAction({ timeoutMs: 50 }) })],
      cluster: { protocol: "http2", connectTimeoutMs: 1_000, maxRequestsPerConnection: 1 },
    });
    const anyFrame = fc
      .record({
        type: fc.nat(11),
        flags: fc.constantFrom(0, 1, 4, 5, 8, 9, 13, 0x20, 0x25),
        id: fc.constantFrom(0, 1, 1, 1, 2, 3),
        payload: fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.constant(new Uint8Array(ok)),
          fc.uint8Array({ minLength: 8, maxLength: 8 }),
        ),
      })
      .map(({ type, flags, id, payload }) => frame(type, flags, id, payload));
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyFrame, { maxLength: 12 }),
        fc.boolean(),
        async (frames, isHead) => {
          host.answer = Buffer.concat([settings, ...(isHead ? [head] : []), ...frames]);
          const client = proxy.connect();
          client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
          await client.until(() => client.hasEnded || client.hasClosed);
          client.socket.destroy();
        },
      ),
      { numRuns: 40 },
    );
    host.answer = Buffer.concat([settings, frame(frameType.headers, whole, 1, ok)]);
    const client = proxy.connect();
    assert.equal((await client.get("/")).status, 200);
    client.socket.end();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "many frames in one read go on as chunks, each whole",
  { isShared: true },
  async (workers) => {
    await using host = await RawHost.start();
    const proxy = await startProxy(workers, host.port, { cluster: { protocol: "http2" } });
    host.answer = Buffer.concat([
      settings,
      head,
      ...["a", "bc", "def"].map((text) => frame(frameType.data, 0, 1, text)),
      frame(frameType.ping, 0, 0, Buffer.alloc(8)),
      frame(frameType.data, 1, 1, "g"),
    ]);
    const client = proxy.connect();
    assert.equal((await client.get("/")).body, "abcdefg");
    client.socket.end();
    await proxy.settled();
  },
);
