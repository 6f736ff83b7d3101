/**
 * What `envoy.filters.http.grpc_stats` counts, under which names: the same calls run against Sluice and, with
 * SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ClientHttp2Session, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { forEachProxy } from "../support/each-proxy.ts";
import { grpcFrame } from "../support/grpc-frames.ts";
import { connectHttp2 } from "../support/http2-client.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { httpFilter } from "../support/http-filter-config.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener } from "../support/truth-resources.ts";
import type { ProxyProcess } from "../support/proxy-process.ts";
import { until } from "../support/until.ts";

/** By the name of listener and cluster: the filter's configuration. */
const configs: Readonly<Record<string, object>> = {
  none: {},
  single: { stats_for_all_methods: false },
  all: { stats_for_all_methods: true },
  timed: { stats_for_all_methods: true, enable_upstream_stats: true },
  dots: { stats_for_all_methods: true, replace_dots_in_grpc_service_name: true },
  listed: {
    individual_method_stats_allowlist: {
      services: [
        { name: "a.B", method_names: ["Ok", "Other"] },
        { name: "a.C", method_names: ["Fail"] },
      ],
    },
    enable_upstream_stats: true,
  },
};

interface Call {
  readonly path: string;
  readonly contentType?: string;
  /** Parts of the request's body. */
  readonly parts?: readonly Buffer[];
  /** What the host says; no trailers: the head ends it, or the body does. */
  readonly head?: OutgoingHttpHeaders;
  readonly answer?: readonly Buffer[];
  readonly trailers?: OutgoingHttpHeaders;
}

const one = grpcFrame("message");
const ok = { "grpc-status": "0" };
const head = { "content-type": "application/grpc" };

const calls: Readonly<Record<string, Call>> = {
  unary: { path: "/a.B/Ok", parts: [one], head, answer: [one], trailers: ok },
  "many messages, some in one part": {
    path: "/a.B/Ok",
    parts: [Buffer.concat([one, one]), one],
    head,
    answer: [Buffer.concat([one, one, one]), one, one],
    trailers: ok,
  },
  "messages in pieces": {
    path: "/a.B/Pieces",
    parts: [
      one.subarray(0, 3),
      one.subarray(3, 7),
      Buffer.concat([one.subarray(7), one.subarray(0, 1)]),
      one.subarray(1),
    ],
    head,
    answer: [one.subarray(0, 1), one.subarray(1)],
    trailers: ok,
  },
  "an empty message, a compressed one": {
    path: "/a.B/Empty",
    parts: [grpcFrame(""), grpcFrame("x", 1)],
    head,
    answer: [grpcFrame("")],
    trailers: ok,
  },
  "flags that are none": {
    path: "/a.B/Flags",
    parts: [grpcFrame("x", 2), one],
    head,
    answer: [grpcFrame("x", 0x80), one],
    trailers: ok,
  },
  "an error": { path: "/a.C/Fail", parts: [one], head, trailers: { "grpc-status": "5" } },
  "trailers alone": { path: "/a.C/Fail", parts: [one], head: { ...head, "grpc-status": "13" } },
  "a status in the head, and a body": {
    path: "/a.C/Head",
    parts: [one],
    head: { ...head, "grpc-status": "7" },
    answer: [one],
    trailers: ok,
  },
  "a status that is none": {
    path: "/a.C/Odd",
    parts: [one],
    head,
    trailers: { "grpc-status": "99" },
  },
  "a status that is no number": {
    path: "/a.C/Word",
    parts: [one],
    head,
    trailers: { "grpc-status": "fine" },
  },
  "no status": { path: "/a.C/NoStatus", parts: [one], head, answer: [one] },
  "an answer that is no gRPC": {
    path: "/a.C/Plain",
    parts: [one],
    head: { "content-type": "text/plain" },
    answer: [one],
    trailers: ok,
  },
  "with an encoding": {
    path: "/a.C/Encoded",
    contentType: "application/grpc+proto",
    parts: [one],
    head: { "content-type": "application/grpc+proto" },
    answer: [one],
    trailers: ok,
  },
  "no gRPC": {
    path: "/a.C/Not",
    contentType: "text/plain",
    parts: [one],
    head,
    answer: [one],
    trailers: ok,
  },
  "grpc-web is none": {
    path: "/a.C/Not",
    contentType: "application/grpc-web",
    parts: [one],
    head,
    trailers: ok,
  },
  "no method": { path: "/a.D", parts: [one], head, answer: [one], trailers: ok },
  "a method below": { path: "/a.E/Ok/more", parts: [one], head, answer: [one], trailers: ok },
  "a query": { path: "/a.F/Ok?x=1", parts: [one], head, answer: [one], trailers: ok },
  "no service": { path: "//Ok", parts: [one], head, answer: [one], trailers: ok },
  "an empty method": { path: "/a.G/", parts: [one], head, answer: [one], trailers: ok },
  "a message that is cut short": {
    path: "/a.B/Cut",
    parts: [Buffer.concat([one, one.subarray(0, 1)])],
    head,
    answer: [one.subarray(0, 7)],
    trailers: ok,
  },
  "a host that breaks off": { path: "/a.H/Reset", parts: [one] },
  "a route that answers": { path: "/local/Answer", parts: [one] },
};

/** What `all` counts, by method: of the statuses those alone that gRPC knows. */
const byMethod: Readonly<Record<string, string>> = {
  "a.B.Cut": "0=1 request_message_count=2 response_message_count=1 success=1 total=1",
  "a.B.Empty": "0=1 request_message_count=2 response_message_count=1 success=1 total=1",
  "a.B.Flags": "0=1 request_message_count=2 response_message_count=2 success=1 total=1",
  "a.B.Ok": "0=2 request_message_count=4 response_message_count=6 success=2 total=2",
  "a.B.Pieces": "0=1 request_message_count=2 response_message_count=1 success=1 total=1",
  "a.C.Encoded": "0=1 request_message_count=1 response_message_count=1 success=1 total=1",
  "a.C.Fail": "13=1 5=1 failure=2 request_message_count=2 total=2",
  "a.C.Head":
    "0=1 7=1 failure=1 request_message_count=1 response_message_count=1 success=1 total=2",
  "a.C.NoStatus": "request_message_count=1 response_message_count=1",
  "a.C.Odd": "failure=1 request_message_count=1 total=1",
  "a.C.Plain": "0=1 request_message_count=1 success=1 total=1",
  "a.C.Word": "failure=1 request_message_count=1 total=1",
  "a.F.Ok": "0=1 request_message_count=1 response_message_count=1 success=1 total=1",
  "a.H.Reset": "14=1 failure=1 request_message_count=1 total=1",
};

/** What is counted together: of `none`, and of `listed` what is not listed. */
const together: Readonly<Record<string, string>> = {
  none: "0=10 13=1 14=1 5=1 7=1 failure=6 request_message_count=22 response_message_count=15 success=10 total=16",
  listed:
    "0=8 14=1 7=1 failure=4 request_message_count=16 response_message_count=9 success=8 total=12",
};

forEachProxy("calls of gRPC are counted by method", async (start, scope) => {
  let left = new Map<string, Call>();
  const host = scope.use(
    await startHttp2Upstream(async (stream, headers) => {
      const call = left.get(String(headers["x-call"]));
      stream.resume();
      await once(stream, "end");
      if (call?.head === undefined) stream.close(2);
      else await answer(stream, call);
    }),
  );
  left = new Map(Object.entries(calls));
  const names = Object.keys(configs);
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: names.map((name) =>
        httpListener(name, {
          http_filters: [
            httpFilter("grpc_stats.v3.FilterConfig", configs[name]),
            httpFilter("router.v3.Router"),
          ],
          route_config: {
            virtual_hosts: [
              {
                name: "all",
                domains: ["*"],
                routes: [
                  { match: { prefix: "/local" }, direct_response: { status: 503 } },
                  { match: { prefix: "/" }, route: { cluster: name } },
                ],
              },
            ],
          },
        }),
      ),
      clusters: names.map((name) => http2Cluster(name, host.port)),
    },
  });
  const ports = await proxy.listenerPorts();
  for (const name of names) {
    const session = await connectHttp2(ports.get(name) ?? 0);
    for (const what of Object.keys(calls)) await send(session, what);
    session.close();
  }
  const { "a.B.Ok": ofB = "", "a.C.Fail": ofC = "" } = byMethod;
  const listed = wanted("listed", {
    "a.B.Ok": ofB,
    "a.C.Fail": ofC,
    "": together["listed"] ?? "",
  });
  // Its calls are the last ones.
  const isCounted = async (): Promise<boolean> =>
    (await linesOf(proxy, "listed")).join() === listed.join();
  await until(isCounted, "all is counted").catch(() => {});
  assert.deepEqual(await linesOf(proxy, "listed"), listed);
  assert.deepEqual(await linesOf(proxy, "none"), wanted("none", { "": together["none"] ?? "" }));
  assert.deepEqual(
    await linesOf(proxy, "single"),
    wanted("single", { "": together["none"] ?? "" }),
  );
  assert.deepEqual(await linesOf(proxy, "all"), wanted("all", byMethod));
  assert.deepEqual(await linesOf(proxy, "timed"), wanted("timed", byMethod));
  const dotless = Object.entries(byMethod).map(([name, counts]) => [
    name.replace(".", "_"),
    counts,
  ]);
  assert.deepEqual(await linesOf(proxy, "dots"), wanted("dots", Object.fromEntries(dotless)));

  // A time is that of a host's answer, once it has ended in trailers or with its head.
  const measured = Object.keys(byMethod).filter((name) => !/Reset|NoStatus/.test(name));
  assert.deepEqual(await timedCalls(proxy, "timed"), measured);
  assert.deepEqual(await timedCalls(proxy, "listed"), ["", "a.B.Ok", "a.C.Fail"]);
  assert.deepEqual(await timedCalls(proxy, "all"), []);

  const labels = `envoy_grpc_bridge_method="Ok",envoy_grpc_bridge_service="a_F",envoy_cluster_name="dots"`;
  const printed = await proxy.admin("/stats/prometheus?filter=grpc.a_F");
  assert(printed.includes(`envoy_cluster_grpc_success{${labels}} 1`), printed);
});

/** Counters of a cluster's calls, in their order. */
async function linesOf(proxy: ProxyProcess, cluster: string): Promise<readonly string[]> {
  const printed = await proxy.admin(`/stats?filter=^cluster\\.${cluster}\\.grpc\\.`);
  return printed.split("\n").filter((line) => /: \d/.test(line) && !isForeign(line));
}

/** Envoy has a counter of any status, also of `99` and of `fine`. */
function isForeign(line: string): boolean {
  return / (99|fine): /.test(line.replaceAll(".", " "));
}

function wanted(cluster: string, calls: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(calls)
    .flatMap(([name, counts]) => {
      const prefix = `cluster.${cluster}.grpc.${name === "" ? "" : `${name}.`}`;
      return counts.split(" ").map((count) => prefix + count.replace("=", ": "));
    })
    .toSorted();
}

async function timedCalls(proxy: ProxyProcess, cluster: string): Promise<readonly string[]> {
  const prefix = `cluster.${cluster}.grpc.`;
  const printed = await proxy.admin(`/stats?filter=^cluster\\.${cluster}\\.grpc\\..*time$`);
  const names = printed
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(": ")[0] ?? "");
  return names
    .map((name) => name.slice(prefix.length, -"upstream_rq_time".length).replace(/\.$/, ""))
    .toSorted();
}

async function send(session: ClientHttp2Session, what: string): Promise<void> {
  const { path, contentType = "application/grpc", parts = [] } = calls[what] as Call;
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": contentType,
    te: "trailers",
    "x-call": what,
  });
  stream.on("error", () => {});
  stream.resume();
  for (const part of parts) await new Promise((sent) => stream.write(part, sent));
  stream.end();
  await once(stream, "close");
}

async function answer(stream: ServerHttp2Stream, call: Call): Promise<void> {
  const { head: fields = {}, answer: parts = [], trailers } = call;
  const endStream = parts.length === 0 && trailers === undefined;
  stream.respond(
    { ":status": 200, ...fields },
    { endStream, waitForTrailers: trailers !== undefined },
  );
  stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
  for (const part of parts) await new Promise((sent) => stream.write(part, sent));
  stream.end();
}
