/**
 * What hostile clients of HTTP/2 send, each with its bound and Envoy's counter. Where Envoy closes in silence, the
 * connection here ends with the GOAWAY that RFC 9113 asks for.
 */
import assert from "node:assert/strict";
import { errorCode, frameType } from "../../../../src/data/http/http2/frames.ts";
import { http2Stats } from "../../../../src/shared/stats/stat-names.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy, type TestProxyOptions } from "../../../support/http-proxy.ts";
import {
  block,
  type Fields,
  frame,
  RawHttp2Client,
  requestBlock,
  whole,
} from "../../../support/raw-http2.ts";
import { forEachWorkerKind, type TestWorkers } from "../../../support/test-workers.ts";

const { continuation, data, goaway, headers, ping, priority, rstStream, settings, windowUpdate } =
  frameType;
type Http2Stat = Parameters<typeof http2Stats.offset>[0];

interface Stage {
  readonly client: RawHttp2Client;
  readonly seen: string[];
  readonly http2: (name: Http2Stat) => number;
  readonly proxy: Awaited<ReturnType<typeof startProxy>>;
}

function attack(
  name: string,
  options: TestProxyOptions,
  body: (stage: Stage, workers: TestWorkers) => Promise<void>,
): void {
  forEachWorkerKind(name, { isShared: true }, async (workers) => {
    const seen: string[] = [];
    await using upstream = await startHttpUpstream((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.end("ok");
    });
    const proxy = await startProxy(workers, upstream.port, options);
    const client = new RawHttp2Client(proxy.listener.port);
    const { http2 } = proxy.listener.slots;
    await body(
      { client, seen, proxy, http2: (stat) => workers.stat(http2Stats, http2, stat) },
      workers,
    );
    client.destroy();
    await proxy.settled();
  });
}

async function goawayCode(client: RawHttp2Client): Promise<number> {
  return (await client.next(goaway)).payload.readUInt32BE(4);
}

async function resetCode(client: RawHttp2Client): Promise<number> {
  return (await client.next(rstStream)).payload.readUInt32BE(0);
}

const malformed: readonly (readonly [name: string, block: Buffer])[] = [
  ["an upper-case name", requestBlock([["X-A", "b"]])],
  ["a connection header", requestBlock([["connection", "close"]])],
  ["a transfer-encoding", requestBlock([["transfer-encoding", "chunked"]])],
  ["a TE other than trailers", requestBlock([["te", "gzip"]])],
  ["CR LF in a value", requestBlock([["x-a", "b\r\nGET /evil HTTP/1.1\r\n"]])],
  ["NUL in a value", requestBlock([["x-a", "b\0"]])],
  ["a line break in a name", requestBlock([["x\r\na", "b"]])],
  ["a colon in a name", requestBlock([["x:a", "b"]])],
  ["a blank in the path", requestBlock([], { ":path": "/a HTTP/1.1" })],
  ["CR LF in the path", requestBlock([], { ":path": "/a\r\nx: y" })],
  ["a blank in the method", requestBlock([], { ":method": "GET /evil" })],
  ["an absolute path", requestBlock([], { ":path": "http://evil/" })],
  ["no path", requestBlock([], { ":path": "" })],
  ["an asterisk of GET", requestBlock([], { ":path": "*" })],
  [
    "a pseudo-header after a field",
    block([
      [":method", "GET"],
      ["x", "y"],
      [":path", "/"],
      [":scheme", "http"],
    ]),
  ],
  ["a pseudo-header twice", requestBlock([[":path", "/b"]])],
  ["a pseudo-header of responses", requestBlock([], { ":status": "200" })],
  ["a length without a body", requestBlock([["content-length", "5"]], { ":method": "POST" })],
  [
    "two lengths",
    requestBlock([
      ["content-length", "0"],
      ["content-length", "0"],
    ]),
  ],
  ["a length that is none", requestBlock([["content-length", "+0"]])],
];

for (const [name, fields] of malformed) {
  attack(`malformed: ${name}`, {}, async ({ client, seen, proxy, http2 }) => {
    client.send(frame(headers, whole, 1, fields));
    assert.equal(await goawayCode(client), errorCode.protocolError);
    assert.equal(await resetCode(client), errorCode.protocolError);
    assert.deepEqual(seen, []);
    await client.ended();
    assert.equal(proxy.http("downstream_cx_protocol_error"), 1);
    assert.equal(http2("rx_messaging_error"), 1);
  });
}

const bodies: readonly (readonly [name: string, frames: readonly Buffer[]])[] = [
  ["shorter", [frame(data, 1, 1, "abc")]],
  ["longer", [frame(data, 1, 1, "abcdef")]],
  ["longer in two", [frame(data, 0, 1, "abc"), frame(data, 1, 1, "def")]],
];
for (const [name, frames] of bodies) {
  attack(`a body that is ${name} than its length says`, {}, async ({ client, http2 }) => {
    const head = requestBlock([["content-length", "5"]], { ":method": "POST" });
    client.send(frame(headers, 4, 1, head), ...frames);
    assert.equal(await resetCode(client), errorCode.protocolError);
    assert.equal(http2("rx_messaging_error"), 1);
  });
}

attack("an authority outranks a host, and one host goes on", {}, async ({ client, seen }) => {
  client.send(frame(headers, whole, 1, requestBlock([["host", "evil"]])));
  await client.next(data);
  assert.deepEqual(seen, ["GET /"]);
});

attack("rapid resets", {}, async ({ client, proxy }) => {
  for (let id = 1; id < 2_000; id += 2) {
    client.send(
      frame(headers, whole, id, requestBlock()),
      frame(rstStream, 0, id, Buffer.from([0, 0, 0, 8])),
    );
  }
  await client.ended();
  assert.equal(proxy.http("downstream_rq_too_many_premature_resets"), 1);
  assert.ok(proxy.http("downstream_rq_total") <= 500);
});

attack("CONTINUATIONs without end", {}, async ({ client, http2 }) => {
  client.send(frame(headers, 1, 1, requestBlock()));
  const part = block([["x-a", "y".repeat(8_000)]]);
  for (let i = 0; i < 20; i++) client.send(frame(continuation, 0, 1, part));
  assert.equal(await goawayCode(client), errorCode.enhanceYourCalm);
  assert.equal(http2("header_overflow"), 1);
});

for (const [name, each] of [
  ["pings", frame(ping, 0, 0, "12345678")],
  ["settings", frame(settings, 0, 0)],
] as const) {
  attack(`${name} that nobody reads the answers of`, {}, async ({ client, http2 }, workers) => {
    client.pause();
    const many = Buffer.concat(repeat(50_000, each));
    for (let i = 0; i < 40; i++) client.send(many);
    await workers.untilCounted(() => http2("outbound_control_flood") === 1);
  });
}

const floods: readonly (readonly [name: string, stat: Http2Stat, frames: readonly Buffer[]])[] = [
  [
    "empty frames",
    "inbound_empty_frames_flood",
    [
      frame(headers, 4, 1, requestBlock([], { ":method": "POST" })),
      ...repeat(3, frame(data, 0, 1)),
    ],
  ],
  [
    "priorities",
    "inbound_priority_frames_flood",
    repeat(101, frame(priority, 0, 1, Buffer.from([0, 0, 0, 3, 1]))),
  ],
  [
    "window updates",
    "inbound_window_update_frames_flood",
    repeat(6, frame(windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1]))),
  ],
];
for (const [name, stat, frames] of floods) {
  attack(`a flood of ${name}`, {}, async ({ client, http2 }) => {
    client.send(...frames);
    assert.equal(await goawayCode(client), errorCode.enhanceYourCalm);
    assert.equal(http2(stat), 1);
  });
}

attack("windows that overflow", {}, async ({ client }) => {
  client.send(frame(windowUpdate, 0, 0, Buffer.from([0x7f, 255, 255, 255])));
  assert.equal(await goawayCode(client), errorCode.flowControlError);
});

attack("a stream's window that overflows", {}, async ({ client, proxy, http2 }) => {
  // Its connection goes on.
  client.send(
    frame(headers, 4, 1, requestBlock([], { ":method": "POST" })),
    frame(windowUpdate, 0, 1, Buffer.from([0x7f, 255, 255, 255])),
    frame(headers, whole, 3, requestBlock()),
  );
  assert.equal(await resetCode(client), errorCode.flowControlError);
  await client.next(data);
  assert.equal(http2("tx_reset"), 1);
  assert.equal(proxy.http("downstream_cx_protocol_error"), 0);
});

attack(
  "a window of zero for ever ends by the stream's timeout",
  { manager: { streamIdleTimeoutMs: 200 } },
  async ({ client, http2 }) => {
    client.send(frame(settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])));
    client.send(frame(headers, whole, 1, requestBlock()));
    await client.next(rstStream);
    assert.equal(http2("tx_flush_timeout"), 1);
  },
);

/** One byte each, and four thousand bytes in memory. */
const bomb = Buffer.concat([
  requestBlock(),
  Buffer.from([0x40]),
  block([["x-bomb", "y".repeat(3_900)]]).subarray(1),
  Buffer.alloc(10_000, 0x80 | 62),
]);
const tooLarge: readonly (readonly [name: string, block: Buffer])[] = [
  ["an HPACK bomb", bomb],
  ["more fields than allowed", requestBlock(numbered(101))],
];
for (const [name, fields] of tooLarge) {
  attack(name, {}, async ({ client, seen, http2 }) => {
    client.send(frame(headers, whole, 1, fields));
    assert.equal(await resetCode(client), errorCode.internalError);
    assert.equal(http2("header_overflow"), 1);
    // The table is still in step: the connection goes on.
    client.send(frame(headers, whole, 3, requestBlock()));
    await client.next(data);
    assert.deepEqual(seen, ["GET /"]);
  });
}

attack("a table that is churned through", {}, async ({ client, seen }, workers) => {
  for (let id = 1; id < 200; id += 2) {
    const fields = numbered(80).map(([name, value]) => [`${name}-${id}`, value] as const);
    const added = fields.map((field) =>
      Buffer.concat([Buffer.from([0x40]), block([field]).subarray(1)]),
    );
    client.send(frame(headers, whole, id, Buffer.concat([requestBlock(), ...added])));
  }
  await workers.untilCounted(() => seen.length === 100);
});

function numbered(count: number): Fields {
  return Array.from({ length: count }, (_, i) => [`x-${i}`, "y"] as const);
}

function repeat(count: number, each: Buffer): Buffer[] {
  return Array.from({ length: count }, () => each);
}

/** Sent on and on, also behind the GOAWAY: it is read no further than to see that the client goes on. */
const endless: readonly (readonly [name: string, first: readonly Buffer[], again: Buffer])[] = [
  [
    "empty DATA",
    [frame(headers, 4, 1, requestBlock([], { ":method": "POST" }))],
    frame(data, 0, 1),
  ],
  ["empty CONTINUATIONs", [frame(headers, 1, 1, requestBlock())], frame(continuation, 0, 1)],
  [
    "large CONTINUATIONs",
    [frame(headers, 1, 1, requestBlock())],
    frame(continuation, 0, 1, block([["x-a", "y".repeat(8_000)]])),
  ],
  ["priorities", [], frame(priority, 0, 1, Buffer.from([0, 0, 0, 3, 1]))],
  ["window updates", [], frame(windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1]))],
  ["pings of a wrong size", [], frame(ping, 0, 0, "1")],
];
const impatient = { manager: { delayedCloseTimeoutMs: 100 } };
attack("whoever sends on is let go", impatient, async ({ proxy, seen }, workers) => {
  for (const [i, [name, first, again]] of endless.entries()) {
    const client = new RawHttp2Client(proxy.listener.port, { staysOpen: true });
    client.send(...first);
    const part = Buffer.concat(repeat(Math.ceil(65_536 / again.length), again));
    const flood = client.sendForEver(part);
    await workers.untilCounted(() => proxy.http("downstream_cx_protocol_error") === i + 1);
    // Others are served beside it.
    const other = proxy.connect();
    assert.equal((await other.get("/")).status, 200);
    other.socket.destroy();
    await flood;
    await workers.untilCounted(() => proxy.http("downstream_cx_delayed_close_timeout") === i + 1);
    assert.equal(proxy.http("downstream_cx_protocol_error"), i + 1, `${name}: once`);
    assert.deepEqual(
      seen.filter((each) => each !== "GET /"),
      [],
    );
  }
  assert.ok(proxy.http("downstream_cx_tx_bytes_total") < endless.length * 1_000);
});
