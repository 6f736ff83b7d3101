/**
 * How requests to hosts of HTTP/2 end, well or not: the client's status, the log's flag and details, and what is
 * counted. `SLUICE_TEST_PROXY=envoy` runs it against Envoy, which says the same but where a group says otherwise.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { errorCode, frameType } from "../../../../src/data/http/http2/frames.ts";
import { forEachProxy } from "../../../support/each-proxy.ts";
import { HttpClient } from "../../../support/http-peers.ts";
import {
  type HostCase,
  type HostCaseGroup,
  hostCaseGroups,
} from "../../../support/http2-host-cases.ts";
import { ScriptedHttp2Host } from "../../../support/scripted-http2-host.ts";
import { adminOnPortZero } from "../../../support/sluice-program.ts";
import { httpListener, http2Cluster } from "../../../support/truth-resources.ts";
import { until } from "../../../support/until.ts";

const isEnvoy = process.env["SLUICE_TEST_PROXY"] !== undefined;
const format = "%REQ(:PATH)%|%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n";
const shortDetails = /upstream_reset_(before|after)_response_started\{(.*)\}/;

forEachProxy("each end of a request is told and counted by its kind", async (start, open) => {
  const folder = await mkdtemp(path.join(tmpdir(), "sluice-endings-"));
  open.defer(() => rm(folder, { recursive: true }));
  const log = path.join(folder, "log");
  const cases = hostCaseGroups.flatMap((group) =>
    Object.entries(group.cases).map(([name, each]) => ({ name, group, each })),
  );
  const clusters: object[] = [];
  const hosts = new Map<string, ScriptedHttp2Host>();
  for (const { name, each } of cases) {
    const host = open.use(await ScriptedHttp2Host.start(each.script, each.hello));
    hosts.set(name, host);
    clusters.push(http2Cluster(name, host.port, each.options));
  }
  const routes = cases.map(({ name, each }) => ({
    match: { path: `/${name}` },
    route: { cluster: name, ...each.route },
  }));
  const listener = httpListener("l", {
    route_config: { name: "r", virtual_hosts: [{ name: "v", domains: ["*"], routes }] },
    access_log: [
      {
        name: "file",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
          path: log,
          log_format: { text_format_source: { inline_string: format } },
        },
      },
    ],
  });
  const proxy = await start(
    { admin: adminOnPortZero, static_resources: { listeners: [listener], clusters } },
    ["--file-flush-interval-msec", "20"],
  );
  const port = await until(async () => (await proxy.listenerPorts()).get("l"), "it listens");
  // What times out is asked for alone: nothing else is to make it late.
  const isLate = ({ group }: { readonly group: HostCaseGroup }): boolean =>
    group.told.startsWith("504");
  for (const part of [cases.filter((each) => !isLate(each)), cases.filter(isLate)])
    await Promise.all(part.map(({ name, each }) => ask(port, name, each)));
  const lines = await until(async () => {
    const text = await readFile(log, "utf8").catch(() => "");
    const found = text.trimEnd().split("\n");
    return found.length === cases.length && found;
  }, "every request is logged");
  const told = new Map(lines.map((line) => line.slice(1).split("|") as [string, string]));
  const stats = countsOf(await proxy.admin("/stats?usedonly"));
  for (const { name, group } of cases) {
    const wanted = isEnvoy ? { ...group, ...group.envoy } : group;
    assert.equal(told.get(name)?.replace(shortDetails, "$1 $2"), wanted.told, name);
    assert.deepEqual(stats.get(name) ?? [], wanted.counted.toSorted(), name);
  }
  // The name of what was wrong went to each host whose connection ended for it.
  const said = hosts.get("ping-of-one-byte")?.frames.find(({ type }) => type === frameType.goaway);
  if (!isEnvoy) assert.equal(said?.payload.readUInt32BE(4), errorCode.frameSizeError);
});

/** To the end of the connection, whatever comes. */
async function ask(port: number, name: string, { request = "GET" }: HostCase): Promise<void> {
  const client = new HttpClient(port);
  // The rest of this one never comes: the answer does not wait for it.
  const isCut = request === "POST";
  const framing = isCut ? "Content-Length: 10\r\n\r\nabc" : "Connection: close\r\n\r\n";
  client.send(`${request} /${name} HTTP/1.1\r\nHost: a\r\n${framing}`);
  await client.until(() => client.hasEnded || client.hasClosed);
  client.socket.destroy();
}

const watched =
  /^cluster\.([^.]+)\.(http2\.(?!nghttp2|goaway|streams_active|outbound_\w*frames)\w+|upstream_rq_(?:rx_reset|tx_reset|retry\w*|pending_failure_eject|per_try_timeout|timeout)|upstream_cx_(?:protocol_error|destroy_\w+|close_notify)): (\d+)$/gm;

/** What each cluster counted of such ends: `rx_reset`, or `rx_reset: 2`. */
function countsOf(stats: string): ReadonlyMap<string, readonly string[]> {
  const counts = new Map<string, string[]>();
  for (const [, cluster = "", name = "", count] of stats.matchAll(watched)) {
    if (count === "0") continue;
    const found = counts.get(cluster) ?? [];
    counts.set(cluster, [...found, count === "1" ? name : `${name}: ${count}`].sort());
  }
  return counts;
}
