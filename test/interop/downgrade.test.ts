/**
 * Requests of HTTP/2 that would be two, or other ones, once they are written as HTTP/1 (request smuggling by downgrade):
 * what becomes of each, and that its host sees one well-formed request or none. One table runs against Sluice and, with
 * SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { flag, frameType } from "../../src/data/http/http2/frames.ts";
import { pseudo } from "../../src/data/http/http2/header-entry.ts";
import { forEachProxy } from "../support/each-proxy.ts";
import { BlockDecoder } from "../support/hpack-peers.ts";
import { data, lastData, trailers } from "../support/http2-frames.ts";
import { type Fields, frame, RawHttp2Client, requestBlock, whole } from "../support/raw-http2.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

const isEnvoy = process.env["SLUICE_TEST_PROXY"] !== undefined;
const { headers, rstStream } = frameType;

interface Case {
  readonly frames: readonly Buffer[];
  /** A status, `reset`, or `end` of the connection. */
  readonly outcome: string;
  readonly envoy?: string;
}

const get = (
  fields: Fields,
  pseudoHeaders: Readonly<Record<string, string>> = {},
): readonly Buffer[] => [frame(headers, whole, 1, requestBlock(fields, pseudoHeaders))];
/** With a body behind it. */
const post = (fields: Fields, ...body: readonly Buffer[]): readonly Buffer[] => [
  frame(headers, flag.endHeaders, 1, requestBlock(fields, { ":method": "POST" })),
  ...body,
];
const smuggled = "GET /evil HTTP/1.1\r\nhost: evil\r\n\r\n";

const cases: Readonly<Record<string, Case>> = {
  "CR LF in a value": { frames: get([["x-a", "b\r\nx-evil: c"]]), outcome: "reset" },
  "a request in a value": { frames: get([["x-a", `b\r\n\r\n${smuggled}`]]), outcome: "reset" },
  "LF alone in a value": { frames: get([["x-a", "b\nx-evil: c"]]), outcome: "reset" },
  "CR alone in a value": { frames: get([["x-a", "b\rx-evil: c"]]), outcome: "reset" },
  "a folded value": { frames: get([["x-a", "b\r\n x-evil: c"]]), outcome: "reset" },
  "NUL in a value": { frames: get([["x-a", "b\0"]]), outcome: "reset" },
  "CR LF in a cookie": { frames: get([["cookie", "a=b\r\nx-evil: c"]]), outcome: "reset" },
  "CR LF in a name": { frames: get([["x-a: b\r\nx-evil", "c"]]), outcome: "reset" },
  "a colon in a name": { frames: get([["x-evil:", "c"]]), outcome: "reset" },
  "a blank behind a name": {
    frames: post([["transfer-encoding ", "chunked"]], lastData(1, smuggled)),
    outcome: "reset",
  },
  "a tab before a name": { frames: get([["\tx-evil", "c"]]), outcome: "reset" },
  "an empty name": { frames: get([["", "x-evil: c"]]), outcome: "reset" },
  "CR LF in the path": {
    frames: get([], { ":path": `/a HTTP/1.1\r\n\r\n${smuggled}` }),
    outcome: "reset",
  },
  "a blank in the path": { frames: get([], { ":path": "/a HTTP/1.1" }), outcome: "reset" },
  "a fragment in the path": { frames: get([], { ":path": "/a#b" }), outcome: "400" },
  "an absolute path": { frames: get([], { ":path": "http://evil/" }), outcome: "reset" },
  "an authority as path": { frames: get([], { ":path": "evil:80" }), outcome: "reset" },
  "an asterisk as path": { frames: get([], { ":path": "*" }), outcome: "reset" },
  "no path": { frames: get([], { ":path": "" }), outcome: "reset" },
  "a path of two slashes": { frames: get([], { ":path": "//evil/" }), outcome: "200" },
  "CR LF in the method": {
    frames: get([], { ":method": `GET / HTTP/1.1\r\nx-evil: c\r\n\r\nGET` }),
    outcome: "reset",
  },
  "a blank in the method": { frames: get([], { ":method": "GET /evil" }), outcome: "reset" },
  "CR LF in the authority": {
    frames: get([], { ":authority": "a\r\nx-evil: c" }),
    outcome: "reset",
  },
  "a blank in the authority": {
    frames: get([], { ":authority": "a evil" }),
    outcome: "400",
    envoy: "reset",
  },
  "a path in the authority": {
    frames: get([], { ":authority": "a/evil" }),
    outcome: "400",
    envoy: "reset",
  },
  "a user in the authority": {
    frames: get([], { ":authority": "evil@a" }),
    outcome: "400",
    envoy: "reset",
  },
  "CR LF in the scheme": { frames: get([], { ":scheme": "http\r\nx-evil: c" }), outcome: "reset" },
  "a scheme that is none": { frames: get([], { ":scheme": "http://evil/?" }), outcome: "reset" },
  "another host": { frames: get([["host", "evil"]]), outcome: "200" },
  "CR LF in the host": { frames: get([["host", "a\r\nx-evil: c"]]), outcome: "reset" },
  "a transfer-encoding": {
    frames: post([["transfer-encoding", "chunked"]], lastData(1, `0\r\n\r\n${smuggled}`)),
    outcome: "reset",
  },
  "a transfer-encoding of identity": {
    frames: post([["transfer-encoding", "identity"]], lastData(1, "a")),
    outcome: "reset",
  },
  "a length that is too short": {
    frames: post([["content-length", "1"]], lastData(1, `a${smuggled}`)),
    outcome: "reset",
  },
  "a length that is too long": {
    frames: post([["content-length", "99"]], lastData(1, "a")),
    outcome: "reset",
  },
  "a length of nothing": {
    frames: post([["content-length", "0"]], lastData(1, smuggled)),
    outcome: "reset",
  },
  "two lengths": {
    frames: post(
      [
        ["content-length", "1"],
        ["content-length", "2"],
      ],
      lastData(1, "a"),
    ),
    outcome: "reset",
  },
  "a list of lengths": {
    frames: post([["content-length", "1, 1"]], lastData(1, "a")),
    outcome: "reset",
  },
  "a length with a sign": {
    frames: post([["content-length", "+1"]], lastData(1, "a")),
    outcome: "reset",
  },
  "a length in hexadecimal": {
    frames: post([["content-length", "0x1"]], lastData(1, "a")),
    outcome: "reset",
  },
  "a body that is a request": {
    frames: post([], data(1, smuggled), lastData(1, smuggled)),
    outcome: "200",
  },
  "a body that ends a chunk": {
    frames: post([], lastData(1, `0\r\n\r\n${smuggled}`)),
    outcome: "200",
  },
  "a connection field": { frames: get([["connection", "keep-alive, x-evil"]]), outcome: "reset" },
  "a keep-alive": { frames: get([["keep-alive", "timeout=5"]]), outcome: "reset" },
  "a proxy-connection": { frames: get([["proxy-connection", "close"]]), outcome: "reset" },
  "an upgrade": { frames: get([["upgrade", "websocket"]]), outcome: "reset" },
  "an upgrade to h2c": {
    frames: get([
      ["upgrade", "h2c"],
      ["http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA"],
    ]),
    outcome: "reset",
  },
  "a TE of chunks": { frames: get([["te", "trailers, chunked"]]), outcome: "reset" },
  "CR LF in a trailer": {
    frames: post([], data(1, "a"), trailers(1, [["x-a", "b\r\nx-evil: c"]])),
    outcome: "reset",
  },
  "a length as a trailer": {
    frames: post([], data(1, "a"), trailers(1, [["content-length", "0"]])),
    outcome: "reset",
  },
  "a transfer-encoding as a trailer": {
    frames: post([], data(1, "a"), trailers(1, [["transfer-encoding", "chunked"]])),
    outcome: "reset",
  },
  "a pseudo-header as a trailer": {
    frames: post([], data(1, "a"), trailers(1, [[":path", "/evil"]])),
    outcome: "reset",
  },
};

forEachProxy("no request becomes two on its way to HTTP/1", async (start, open) => {
  let received = "";
  const host = open.use(
    await startUpstream((socket) => {
      socket.on("data", (part: Buffer) => {
        received += part.toString("latin1");
        if (isWhole(received)) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      });
      socket.on("end", () => socket.end());
    }),
  );
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [
        httpListener("l", {
          http2_protocol_options: { override_stream_error_on_invalid_http_message: true },
          route_config: {
            name: "r",
            virtual_hosts: [
              {
                name: "v",
                domains: ["*"],
                routes: [{ match: { prefix: "/" }, route: { cluster: "c" } }],
              },
            ],
          },
        }),
      ],
      clusters: [staticCluster("c", host.port)],
    },
  });
  const port = (await proxy.listenerPorts()).get("l") ?? 0;
  const seen: Record<string, string> = {};
  for (const [name, { frames }] of Object.entries(cases)) {
    received = "";
    const client = new RawHttp2Client(port);
    client.send(...frames);
    seen[name] = await until(() => outcomeOf(client), `${name} has an end`);
    client.destroy();
    const { complete, rest } = requestsIn(received);
    assert(complete <= (seen[name] === "reset" && !isEnvoy ? 0 : 1), `${name}: ${received}`);
    assert(complete === 0 || rest === "", `${name}: ${received}`);
    assert.doesNotMatch(received.split("\r\n\r\n")[0] ?? "", /^x-evil/im, name);
  }
  const wanted = Object.entries(cases).map(([name, { outcome, envoy = outcome }]) => [
    name,
    isEnvoy ? envoy : outcome,
  ]);
  assert.deepEqual(seen, Object.fromEntries(wanted));
  const count = (outcome: string): number =>
    Object.values(seen).filter((each) => each === outcome).length;
  const counted = {
    "http.l.downstream_rq_total": Object.keys(cases).length,
    "http.l.downstream_rq_2xx": count("200"),
    "http.l.downstream_rq_4xx": count("400"),
    "http2.tx_reset": count("reset"),
    "http2.rx_messaging_error": 43,
  };
  for (const [name, value] of Object.entries(counted))
    assert.equal(await proxy.stat(name), value, name);
});

const isWhole = (text: string): boolean => requestsIn(text).complete > 0;

/** As HTTP/1 reads them: how many are whole, and what begins behind them. */
function requestsIn(text: string): { readonly complete: number; readonly rest: string } {
  let complete = 0;
  let rest = text;
  for (;;) {
    const length = requestLength(rest);
    if (length === undefined) return { complete, rest };
    complete++;
    rest = rest.slice(length);
  }
}

/** Undefined: it is not whole. */
function requestLength(text: string): number | undefined {
  const headEnd = text.indexOf("\r\n\r\n") + 4;
  if (headEnd < 4) return undefined;
  const head = text.slice(0, headEnd);
  if (!/\r\ntransfer-encoding: chunked\r\n/.test(head)) {
    const end = headEnd + Number(/\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1] ?? 0);
    return end <= text.length ? end : undefined;
  }
  for (let at = headEnd; ;) {
    const [line = ""] = text.slice(at).split("\r\n", 1);
    const size = Number.parseInt(line, 16);
    at += line.length + 2 + size + 2;
    if (Number.isNaN(size) || at > text.length) return undefined;
    if (size === 0) return at;
  }
}

function outcomeOf(client: RawHttp2Client): string | undefined {
  for (const { type, id, payload } of client.frames) {
    if (id !== 1) continue;
    if (type === rstStream) return "reset";
    if (type !== headers) continue;
    return new BlockDecoder().decode(payload).pseudoHeaders.get(pseudo.status);
  }
  return client.hasEnded ? "end" : undefined;
}
