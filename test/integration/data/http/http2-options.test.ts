/**
 * `http2_protocol_options` on the wire, of listeners and of clusters: the SETTINGS they lead to, the limits, the pings.
 * `SLUICE_TEST_PROXY=envoy` runs it against Envoy.
 */
import assert from "node:assert/strict";
import { errorCode, flag, frameType, setting } from "../../../../src/data/http/http2/frames.ts";
import { forEachProxy } from "../../../support/each-proxy.ts";
import { answersWhole, data, headFrames, windowUpdate } from "../../../support/http2-frames.ts";
import type { ProxyProcess } from "../../../support/proxy-process.ts";
import {
  frame,
  type RawFrame,
  RawHttp2Client,
  requestBlock,
  whole,
} from "../../../support/raw-http2.ts";
import { ScriptedHttp2Host } from "../../../support/scripted-http2-host.ts";
import { adminOnPortZero } from "../../../support/sluice-program.ts";
import { http2Cluster, httpListener } from "../../../support/truth-resources.ts";
import { until } from "../../../support/until.ts";

const shown = {
  hpack_table_size: 2048,
  max_concurrent_streams: 7,
  initial_stream_window_size: 70_000,
  initial_connection_window_size: 80_000,
  custom_settings_parameters: [{ identifier: 0x77, value: 5 }],
};
/** By the number of the setting. */
const shownSettings = {
  [setting.headerTableSize]: 2048,
  [setting.maxConcurrentStreams]: 7,
  [setting.initialWindowSize]: 70_000,
  0x77: 5,
};
const limits = {
  max_consecutive_inbound_frames_with_empty_payload: 3,
  max_inbound_priority_frames_per_stream: 2,
  max_inbound_window_update_frames_per_data_frame_sent: 1,
};
const pings = { connection_keepalive: { interval: "0.05s", timeout: "0.2s" } };
const idlePings = { connection_keepalive: { timeout: "5s", connection_idle_interval: "0.001s" } };

const many = (count: number, frames: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => frames));
const get = (id: number): Buffer => frame(frameType.headers, whole, id, requestBlock());
const ping = frame(frameType.ping, 0, 0, "12345678");
const priority = (id: number): Buffer => frame(frameType.priority, 0, id, "\0\0\0\0\u0001");
const isAnswered = (client: RawHttp2Client): boolean =>
  client.frames.some(({ type, flags }) => type === frameType.ping && (flags & flag.ack) !== 0);
const isPing = ({ type, flags }: RawFrame): boolean =>
  type === frameType.ping && (flags & flag.ack) === 0;

interface Stage {
  readonly proxy: ProxyProcess;
  readonly host: ScriptedHttp2Host;
  /** Of the listener with the options. */
  readonly connect: () => RawHttp2Client;
}

/** Listener and cluster have the same options, and each case has both of its own. */
const cases: readonly (readonly [options: object, play: (stage: Stage) => Promise<void>])[] = [
  [shown, showsSettings],
  [limits, limitsEmptyFrames],
  [limits, limitsPriorities],
  [limits, limitsWindowUpdates],
  [{ override_stream_error_on_invalid_http_message: true }, keepsTheConnection],
  [pings, pingsBothSides],
  [idlePings, pingsAfterSilence],
  [{ enable_huffman_encoding: true }, (stage) => encodesStrings(stage, true)],
  [{ enable_huffman_encoding: false }, (stage) => encodesStrings(stage, false)],
];

forEachProxy("options of HTTP/2 hold on both sides", async (start, open) => {
  const hosts = await Promise.all(
    cases.map(async () =>
      open.use(await ScriptedHttp2Host.start(({ id, send }) => send(answersWhole(id)))),
    ),
  );
  const listeners = cases.map(([options], i) =>
    httpListener(`l${i}`, {
      codec_type: "HTTP2",
      http2_protocol_options: options,
      route_config: {
        name: "r",
        virtual_hosts: [
          {
            name: "v",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: `c${i}` } }],
          },
        ],
      },
    }),
  );
  const clusters = cases.map(([options], i) => http2Cluster(`c${i}`, hosts[i]?.port ?? 0, options));
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners, clusters } });
  const ports = await proxy.listenerPorts();
  for (const [i, [, play]] of cases.entries()) {
    const host = hosts[i];
    assert(host);
    const connect = (): RawHttp2Client => {
      const client = new RawHttp2Client(ports.get(`l${i}`) ?? 0);
      open.defer(() => client.destroy());
      return client;
    };
    await play({ proxy, host, connect });
  }
});

async function showsSettings({ connect, host }: Stage): Promise<void> {
  const client = connect();
  client.send(get(1));
  await client.next(frameType.headers);
  for (const frames of [client.frames, host.frames]) {
    const told = settingsOf(frames);
    for (const [id, value] of Object.entries(shownSettings))
      assert.equal(told.get(Number(id)), value, `setting ${id}`);
    const window = frames.find(({ type, id }) => type === frameType.windowUpdate && id === 0);
    assert.equal(window?.payload.readUInt32BE(0), 80_000 - 65_535);
  }
}

async function limitsEmptyFrames({ connect }: Stage): Promise<void> {
  const post = frame(
    frameType.headers,
    flag.endHeaders,
    1,
    requestBlock([], { ":method": "POST" }),
  );
  const good = connect();
  good.send(post, many(3, data(1, "")), ping);
  await until(() => isAnswered(good), "three are allowed");
  const bad = connect();
  bad.send(post, many(4, data(1, "")), ping);
  await bad.ended();
  assert.equal(isAnswered(bad), false);
}

async function limitsPriorities({ connect }: Stage): Promise<void> {
  const good = connect();
  good.send(many(2, priority(1)), ping);
  await until(() => isAnswered(good), "two are allowed");
  const bad = connect();
  bad.send(many(3, priority(1)), ping);
  await bad.ended();
}

async function limitsWindowUpdates({ connect, proxy }: Stage): Promise<void> {
  const good = connect();
  good.send(many(5, windowUpdate(0, 1)), ping);
  await until(() => isAnswered(good), "five are allowed");
  const bad = connect();
  bad.send(many(6, windowUpdate(0, 1)), ping);
  await bad.ended();
  for (const flood of ["empty", "priority", "window_update"]) {
    const stat = await proxy.stat(`http2.inbound_${flood}_frames_flood`);
    assert.equal(stat, 1, flood);
  }
}

async function keepsTheConnection({ connect }: Stage): Promise<void> {
  const client = connect();
  client.send(headFrames(1, [[":method", "GET"]], true), get(3));
  const reset = await client.next(frameType.rstStream);
  assert.deepEqual([reset.id, reset.payload.readUInt32BE(0)], [1, errorCode.protocolError]);
  assert.equal((await client.next(frameType.headers)).id, 3);
}

async function pingsBothSides({ connect, host, proxy }: Stage): Promise<void> {
  const client = connect();
  client.send(get(1));
  await client.next(frameType.headers);
  await until(() => client.frames.some(isPing), "the client is asked");
  await until(() => host.frames.some(isPing), "the host is asked");
  // Neither answers.
  await client.ended();
  await until(() => host.open === 0, "the host is given up");
  for (const prefix of ["", "cluster.c5."])
    assert.equal(await proxy.stat(`${prefix}http2.keepalive_timeout`), 1, prefix);
}

async function pingsAfterSilence({ connect, host }: Stage): Promise<void> {
  const client = connect();
  // A millisecond is a silence: what lies between two looks is more.
  for (let id = 1; !host.frames.some(isPing); id += 2) {
    client.send(get(id));
    await until(() => client.frames.some((each) => each.id === id), "it is answered");
  }
  const next = host.frames[host.frames.findIndex(isPing) + 1];
  assert.equal(next?.type, frameType.headers);
}

async function encodesStrings({ connect, host }: Stage, isHuffman: boolean): Promise<void> {
  const client = connect();
  client.send(frame(frameType.headers, whole, 1, requestBlock([["x-aeiost", "aeiost"]])));
  const response = await client.next(frameType.headers);
  const request = host.frames.find(({ type }) => type === frameType.headers);
  for (const [payload, name] of [
    [request?.payload, "x-aeiost"],
    [response.payload, "x-envoy-upstream-service-time"],
  ] as const)
    assert.equal(payload?.includes(name), !isHuffman, name);
}

function settingsOf(frames: readonly RawFrame[]): ReadonlyMap<number, number> {
  const first = frames.find(({ type }) => type === frameType.settings);
  const told = new Map<number, number>();
  for (let at = 0; at < (first?.payload.length ?? 0); at += 6)
    told.set(first?.payload.readUInt16BE(at) ?? 0, first?.payload.readUInt32BE(at + 2) ?? 0);
  return told;
}
