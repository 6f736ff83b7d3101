/**
 * METADATA frames, which one side or both may take: what the host hears of a client's, and a client of its host's. The same
 * table runs against Sluice and, with SLUICE_TEST_PROXY=envoy, against Envoy.
 */
import assert from "node:assert/strict";
import { flag, frameType } from "../../src/data/http/http2/frames.ts";
import { forEachProxy } from "../support/each-proxy.ts";
import { HttpClient, startHttpUpstream } from "../support/http-peers.ts";
import { answers, answersWhole, data, lastData, trailers } from "../support/http2-frames.ts";
import { frameWords, isLastFrame, metadata } from "../support/metadata-frames.ts";
import {
  block,
  type Fields,
  frame,
  RawHttp2Client,
  type RawFrame,
  requestBlock,
} from "../support/raw-http2.ts";
import { ScriptedHttp2Host } from "../support/scripted-http2-host.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

/** `authority`: of the head, and the cluster that it goes to. */
type Frames = (id: number, authority: string) => readonly Uint8Array[];

interface Case {
  /** The listener, and the cluster. */
  readonly way?: string;
  /** Between head and body of the client; `whole`: in their place. */
  readonly sends?: Frames;
  readonly whole?: Frames;
  /** By the host, in the place of a plain answer. */
  readonly says?: Frames;
  /** What the host saw of a request of the client's, and the client of its answer, as words. */
  readonly asked: string;
  readonly answered: string;
  readonly counts?: readonly [name: string, by: number];
}

const payload = (flags: number, bytes: Uint8Array | readonly number[]): Frames => {
  const part = bytes instanceof Uint8Array ? bytes : Buffer.from(bytes);
  return (id) => [frame(frameType.metadata, flags, id, part)];
};
const says =
  (fields: Fields, flags?: number): Frames =>
  (id) => [metadata(id, fields, flags)];
/** In frames as large as may be. */
const saysMuch =
  (fields: Fields): Frames =>
  (id) => {
    const bytes = block(fields);
    const count = Math.ceil(bytes.length / 16_384);
    return Array.from({ length: count }, (_, i) => {
      const part = bytes.subarray(i * 16_384, (i + 1) * 16_384);
      return frame(frameType.metadata, i === count - 1 ? flag.endMetadata : 0, id, part);
    });
  };
const all =
  (...parts: readonly Frames[]): Frames =>
  (id, authority) =>
    parts.flatMap((each) => each(id, authority));
const of =
  (id: number, part: Frames): Frames =>
  (_, authority) =>
    part(id, authority);
const head: Frames = (id, authority) => [
  frame(
    frameType.headers,
    flag.endHeaders,
    id,
    requestBlock([], { ":method": "POST", ":authority": authority }),
  ),
];
const body: Frames = (id) => [lastData(id, "body")];
const ok: Frames = (id) => [answers(id), lastData(id, "ok")];
const okHead: Frames = (id) => [answers(id)];
const okBody: Frames = (id) => [lastData(id, "ok")];
const part: Frames = (id) => [data(id, "x")];
const trailing: Frames = (id) => [trailers(id, [["t", "1"]])];
const ab = says([
  ["a", "1"],
  ["b", "2"],
]);
const long = "v".repeat(900);
const garbage = payload(flag.endMetadata, [0x80]);

const plainly = { asked: "head, data body end", answered: "head, data ok end" };
const passes = (...words: readonly string[]): Pick<Case, "asked" | "answered"> => ({
  ...plainly,
  asked: ["head", ...words, "data body end"].join(", "),
});
const heard = (...words: readonly string[]): Pick<Case, "asked" | "answered"> => ({
  ...plainly,
  answered: ["head", ...words, "data ok end"].join(", "),
});
/** It breaks its connection, and the host loses the request. */
const breaks = { asked: "head, reset", answered: "ends" };
const empty = "metadata_empty_frames";

const cases: Readonly<Record<string, Case>> = {
  "both sides take it": { sends: ab, ...passes("a=1 b=2") },
  "the client's side does not": { way: "plain allowed", sends: ab, ...plainly },
  "the host's side does not": { way: "allowed plain", sends: ab, ...plainly },
  "neither does, and it is no HPACK": { way: "plain plain", sends: garbage, ...plainly },
  "the host speaks HTTP/1": {
    way: "allowed http1",
    sends: ab,
    asked: "",
    answered: "head, data ok end",
    counts: ["cluster.http1.http1.metadata_not_supported_error", 1],
  },
  "several, amid the body": {
    sends: all(ab, part, says([["c", "3"]]), says([["d", "4"]])),
    ...passes("a=1 b=2", "data x", "c=3", "d=4"),
  },
  "before trailers": {
    whole: all(head, part, ab, trailing),
    ...plainly,
    asked: "head, data x, a=1 b=2, head end",
  },
  "before the head": { whole: all(ab, head, body), ...plainly },
  "of a stream that is not there": { sends: of(99, ab), ...plainly },
  "of an even stream": { sends: of(2, ab), ...plainly },
  "of the connection": { sends: of(0, ab), ...plainly },
  "behind the end": { whole: all(head, body, ab), ...plainly },
  "in two frames": {
    sends: all(says([["a", "1"]], 0), says([["b", "2"]])),
    ...passes("a=1 b=2"),
  },
  "in two frames, amid a field": {
    sends: all(payload(0, [0, 1, 0x61]), payload(flag.endMetadata, [1, 0x31])),
    ...passes("a=1"),
  },
  "in two frames, with data between": {
    sends: all(says([["a", "1"]], 0), part, says([["b", "2"]])),
    ...passes("data x", "a=1 b=2"),
  },
  "without an end": { sends: says([["a", "1"]], 0), ...plainly },
  "with a flag that is not its own, it has no end": {
    sends: all(says([["a", "1"]], 5), says([["b", "2"]])),
    ...passes("a=1 b=2"),
  },
  "without a field": {
    sends: payload(flag.endMetadata, []),
    ...plainly,
    counts: [`http2.${empty}`, 1],
  },
  "without a field, and no end": { sends: all(payload(0, []), ab), ...passes("a=1 b=2") },
  "many without a field": {
    sends: all(...Array.from({ length: 50 }, () => payload(flag.endMetadata, []))),
    ...plainly,
    counts: [`http2.${empty}`, 50],
  },
  "many at once": {
    sends: all(...Array.from({ length: 300 }, (_, i) => says([["n", String(i)]]))),
    ...passes(...Array.from({ length: 300 }, (_, i) => `n=${i}`)),
  },
  "no HPACK": { sends: garbage, ...breaks },
  "broken off": { sends: payload(flag.endMetadata, [0, 5, 0x61]), ...breaks },
  "a field of the static table": {
    sends: payload(flag.endMetadata, [0x82]),
    ...passes(":method=GET"),
  },
  "a field of the block's own table": {
    sends: payload(flag.endMetadata, [0x40, 1, 0x61, 1, 0x31, 0xbe]),
    ...passes("a=1"),
  },
  "a field of another block's table": {
    sends: all(
      payload(flag.endMetadata, [0x40, 1, 0x61, 1, 0x31]),
      payload(flag.endMetadata, [0xbe]),
    ),
    ...breaks,
    asked: "head, a=1, reset",
  },
  "another size of the table": {
    sends: payload(flag.endMetadata, [0x20, 0, 1, 0x61, 1, 0x31]),
    ...passes("a=1"),
  },
  "a size that the table may not have": {
    sends: payload(flag.endMetadata, [0x3f, 0xe1, 0x7f, 0, 1, 0x61, 1, 0x31]),
    ...breaks,
  },
  "what no head could hold": {
    sends: says([
      [":path", "/other"],
      ["Upper", "1\r\n2"],
      ["", "\0ÿ"],
      ["e", ""],
    ]),
    ...passes(":path=/other =\0ÿ Upper=1\r\n2 e="),
  },
  "a name twice": {
    sends: says([
      ["a", "1"],
      ["a", "2"],
    ]),
    ...passes("a=1"),
  },
  "what frames a head": { sends: says([["content-length", "77"]]), ...passes("content-length=77") },
  "as much as may be": {
    way: "small allowed",
    sends: says([["a", "v".repeat(1_018)]]),
    ...passes("a=1018 bytes"),
  },
  "more than may be": { way: "small allowed", sends: says([["a", "v".repeat(1_019)]]), ...breaks },
  "more than may be, in parts": {
    way: "small allowed",
    sends: all(says([["a", long]], 0), says([["b", long]])),
    ...breaks,
  },
  "more than may be, one by one": {
    way: "small allowed",
    sends: all(says([["a", long]]), says([["b", long]])),
    ...breaks,
    asked: "head, a=900 bytes, reset",
  },
  "more than the host's side takes, which is for what comes from there": {
    way: "allowed small",
    sends: says([["a", "v".repeat(2_000)]]),
    ...passes("a=2000 bytes"),
  },
  "larger than a frame": {
    sends: saysMuch([["a", "v".repeat(70_000)]]),
    ...passes("a=70000 bytes"),
  },
  "a frame larger than may be": {
    sends: payload(flag.endMetadata, block([["a", "v".repeat(17_000)]])),
    ...breaks,
  },
  "a host's": { says: all(okHead, ab, okBody), ...heard("a=1 b=2") },
  "a host's, whose side does not take it": {
    way: "allowed plain",
    says: all(okHead, ab, okBody),
    ...heard(),
  },
  "a host's, whose client does not": {
    way: "plain allowed",
    says: all(okHead, ab, okBody),
    ...heard(),
  },
  "a host's before its head": {
    says: all(ab, ok),
    ...plainly,
    answered: "a=1 b=2, head, data ok end",
  },
  "a host's before a head that is all": {
    says: all(ab, (id) => [answersWhole(id)]),
    ...plainly,
    answered: "a=1 b=2, head end",
  },
  "a host's behind an interim head": {
    says: all((id) => [answers(id, "103")], ab, ok),
    ...plainly,
    answered: "a=1 b=2, head, data ok end",
  },
  "a host's before trailers": {
    says: all(okHead, part, ab, trailing),
    ...plainly,
    answered: "head, data x, a=1 b=2, head end",
  },
  "a host's behind the end": { says: all(ok, ab), ...plainly },
  "a host's in two frames": {
    says: all(okHead, says([["a", "1"]], 0), says([["b", "2"]]), okBody),
    ...heard("a=1 b=2"),
  },
  "a host's of a stream that is not there": { says: all(okHead, of(77, ab), okBody), ...heard() },
  "a host's without a field": {
    says: all(okHead, payload(flag.endMetadata, []), okBody),
    ...heard(),
    counts: [`cluster.allowed.http2.${empty}`, 1],
  },
  "a host's that is no HPACK, before the head": {
    says: all(garbage, ok),
    ...plainly,
    answered: "head, data 87 bytes end",
    counts: ["cluster.allowed.upstream_cx_protocol_error", 1],
  },
  "a host's that is no HPACK, behind it": {
    says: all(okHead, part, garbage, okBody),
    ...plainly,
    answered: "head, data x, reset",
    counts: ["cluster.allowed.upstream_cx_protocol_error", 1],
  },
  "a host's, more than may be": {
    way: "allowed small",
    says: all(okHead, part, says([["a", "v".repeat(2_000)]]), okBody),
    ...plainly,
    answered: "head, data x, reset",
    counts: ["cluster.small.upstream_cx_protocol_error", 1],
  },
  "of a request that Sluice answers": {
    way: "allowed direct",
    sends: ab,
    asked: "",
    answered: "head, data own end",
  },
  "of a request that is tried again: it goes once": {
    way: "allowed retried",
    sends: ab,
    asked: "head, a=1 b=2, data body end, head, data body end",
    answered: "head, data ok end",
  },
};

const wordsOf = (frames: readonly RawFrame[]): string => frameWords(frames).join(", ");

/** That the rest of a request is of no interest is another matter. */
const untilOver = (frames: readonly RawFrame[]): readonly RawFrame[] =>
  frames.slice(0, frames.findIndex(isLastFrame) + 1);

const options = {
  allowed: { allow_metadata: true },
  plain: {},
  small: { allow_metadata: true, max_metadata_size: 1_024 },
};
const retried = {
  match: { prefix: "/" },
  route: { cluster: "allowed", retry_policy: { retry_on: "5xx" } },
};
const direct = {
  match: { prefix: "/" },
  direct_response: { status: 200, body: { inline_string: "own" } },
};
const hostOf = (name: string, route: object): object => ({
  name,
  domains: [name],
  routes: [route],
});
const routes = {
  name: "routes",
  virtual_hosts: [
    ...["allowed", "plain", "small", "http1"].map((cluster) =>
      hostOf(cluster, { match: { prefix: "/" }, route: { cluster } }),
    ),
    hostOf("retried", retried),
    hostOf("direct", direct),
  ],
};

forEachProxy("METADATA", async (start, open) => {
  let script: Frames = ok;
  const host = open.use(
    await ScriptedHttp2Host.start(({ id, send }) => send(...script(id, "")), undefined, {
      waits: true,
    }),
  );
  const http1 = open.use(await startHttpUpstream((_, response) => response.end("ok")));
  const clusters = Object.entries(options).map(([name, each]) =>
    http2Cluster(name, host.port, each),
  );
  const listeners = Object.entries(options).map(([name, http2]) =>
    httpListener(name, {
      http2_protocol_options: http2,
      delayed_close_timeout: "0.1s",
      route_config: routes,
    }),
  );
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: { listeners, clusters: [...clusters, staticCluster("http1", http1.port)] },
  });
  const ports = await proxy.listenerPorts();
  for (const [name, each] of Object.entries(cases)) {
    const [listener = "allowed", cluster = "allowed"] = (each.way ?? "").split(" ").filter(Boolean);
    const [stat = "", by = 0] = each.counts ?? [];
    const before = stat === "" ? 0 : await proxy.stat(stat);
    let answersLeft = cluster === "retried" ? 1 : 0;
    script = (id) => (answersLeft-- > 0 ? [answersWhole(id, "503")] : (each.says ?? ok)(id, ""));
    host.frames.length = 0;
    const client = new RawHttp2Client(ports.get(listener) ?? 0);
    client.send(...(each.whole ?? all(head, each.sends ?? (() => []), body))(1, cluster));
    const mine = (): readonly RawFrame[] => client.frames.filter(({ id }) => id === 1);
    await until(async () => client.hasEnded || mine().some(isLastFrame), `${name}: an end`);
    if (!client.hasEnded) {
      // What was ignored did no harm.
      client.send(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
      await client.next(frameType.ping);
    }
    const answered = client.hasEnded ? "ends" : wordsOf(untilOver(mine()));
    assert.equal(answered, each.answered, name);
    await until(
      async () => wordsOf(host.frames) === each.asked,
      `${name}: ${wordsOf(host.frames)} becomes ${each.asked}`,
    );
    if (stat !== "") assert.equal((await proxy.stat(stat)) - before, by, name);
    client.destroy();
  }
  script = all(okHead, ab, okBody);
  const client = new HttpClient(ports.get("allowed") ?? 0);
  client.send("GET / HTTP/1.1\r\nHost: allowed\r\n\r\n");
  assert.equal((await client.response()).body, "ok");
  client.socket.destroy();
  assert.equal(await proxy.stat("http1.metadata_not_supported_error"), 1);
});
