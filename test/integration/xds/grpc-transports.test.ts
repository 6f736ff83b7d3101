import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  aggregatedDiscovery,
  discoveryServiceOf,
} from "../../../src/control/proto/discovery-services.ts";
import { AdsMux } from "../../../src/control/xds/ads-mux.ts";
import { delta } from "../../../src/control/xds/delta-conversation.ts";
import type { GrpcTarget } from "../../../src/control/xds/endpoint-rotation.ts";
import { GrpcTransport } from "../../../src/control/xds/grpc-transport.ts";
import type { ResourceBatch, ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { sotw } from "../../../src/control/xds/sotw-conversation.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { systemClock } from "../../../src/shared/common/clock.ts";
import type { ServedResource } from "../../../src/xds-server/discovery-wire.ts";
import { ManagementServer } from "../../../src/xds-server/management-server.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { until } from "../../support/until.ts";

const lds = textType("LDS", "type.googleapis.com/envoy.config.listener.v3.Listener", true);
const rds = textType("RDS", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", false);

function served(typeUrl: string, texts: Readonly<Record<string, string>>): ServedResource[] {
  return Object.entries(texts).map(([name, text]) => ({
    name,
    typeUrl,
    bytes: textResource(name, text),
  }));
}

interface Wanted {
  readonly isDelta?: boolean;
  /** A stream of this type alone. */
  readonly typeUrl?: string;
  readonly connectTimeoutMs?: number;
}

function connect(targets: readonly GrpcTarget[], wanted: Wanted = {}): AdsMux {
  const { isDelta = false, typeUrl, connectTimeoutMs = 0 } = wanted;
  const service = typeUrl === undefined ? aggregatedDiscovery() : discoveryServiceOf(typeUrl);
  const method = isDelta ? service?.delta : service?.stream;
  assert(method);
  return new AdsMux({
    transport: new GrpcTransport({ method, targets }),
    dialect: isDelta ? delta : sotw,
    connectTimeoutMs,
    clock: systemClock,
    random: seededRandom(1),
    backoff: { baseMs: 20, maxMs: 100 },
    logger: silentLogger,
    stats: noXdsStats,
    node: new Uint8Array([10, 6, ...Buffer.from("node-1")]),
  });
}

const to = (...ports: readonly number[]): GrpcTarget => ({
  name: "xds",
  endpoints: () => ports.map((port) => `127.0.0.1:${port}`),
});

for (const typeUrl of [undefined, lds.typeUrl])
  for (const isDelta of [false, true])
    test(`${typeUrl ? "a stream of one type" : "ADS"}, ${isDelta ? "delta" : "state of the world"}: push, refusal, removal`, async () => {
      await using server = await ManagementServer.start();
      using client = connect([to(server.port)], { isDelta, ...(typeUrl && { typeUrl }) });
      const batches: ResourceBatch<string>[] = [];
      const push = async (texts: Readonly<Record<string, string>>) => {
        server.setResources(lds.typeUrl, served(lds.typeUrl, texts));
        const [answer] = await server.awaitAnswer(lds.typeUrl);
        assert.equal(answer?.nodeId, "node-1");
        return answer.verdict;
      };
      client.changes$(lds).subscribe((batch) => void batches.push(batch));
      assert.equal((await push({ a: "one", b: "one" })).kind, "acked");
      const refused = await push({ a: "one", b: "two", c: "bad" });
      assert(refused.kind === "nacked");
      assert.equal(refused.error, "Error adding/updating listener(s) c: text is bad; and so on");
      assert.deepEqual(
        batches.at(-1)?.changed.map(({ name }) => name),
        ["b"],
      );
      assert.equal((await push({ b: "two" })).kind, "acked");
      assert.deepEqual(batches.at(-1)?.removed, ["a"]);
    });

test("delta over a dropped stream: nothing is sent twice, and what went meanwhile is known", async () => {
  await using server = await ManagementServer.start();
  using client = connect([to(server.port)], { isDelta: true });
  const batches: ResourceBatch<string>[] = [];
  const states: ResourceState<string>["kind"][] = [];
  server.setResources(lds.typeUrl, served(lds.typeUrl, { a: "one", b: "one" }));
  server.setResources(rds.typeUrl, served(rds.typeUrl, { r: "one" }));
  client.changes$(lds).subscribe((batch) => void batches.push(batch));
  client.resource$(rds, "r").subscribe(({ kind }) => void states.push(kind));
  await until(() => states.includes("present") && batches.length === 1, "the first push");
  server.dropStreams();
  await until(() => server.clientCount === 0, "the stream is gone");
  server.setResources(lds.typeUrl, served(lds.typeUrl, { b: "one", c: "one" }));
  server.setResources(rds.typeUrl, []);
  await until(() => states.at(-1) === "absent" && batches.length === 2, "the news");
  assert.deepEqual(batches[1]?.removed, ["a"]);
  assert.deepEqual(states, ["requested", "present", "absent"]);
});

test("delta: a name that nobody has is absent at once", async () => {
  await using server = await ManagementServer.start();
  server.setResources(rds.typeUrl, []);
  using client = connect([to(server.port)], { isDelta: true });
  const states: ResourceState<string>[] = [];
  client.resource$(rds, "nowhere").subscribe((state) => void states.push(state));
  await until(() => states.at(-1)?.kind === "absent", "the answer");
  assert.deepEqual(states.at(-1), { kind: "absent", reason: "removed" });
});

test("a dead endpoint, then one that swallows the connection, then the next service", async () => {
  const gone = await ManagementServer.start();
  await gone[Symbol.asyncDispose]();
  // Accepts and says nothing: no HTTP/2 connection ever comes about.
  const silent = createServer((socket) => socket.resume().on("error", () => {})).listen(
    0,
    "127.0.0.1",
  );
  using cleanup = new DisposableStack();
  cleanup.defer(() => silent.close());
  await once(silent, "listening");
  await using server = await ManagementServer.start();
  server.setResources(lds.typeUrl, served(lds.typeUrl, { a: "one" }));
  const address = silent.address();
  assert(address !== null && typeof address === "object");
  using client = connect([to(gone.port, address.port), to(server.port)], {
    connectTimeoutMs: 100,
  });
  client.changes$(lds).subscribe();
  const [answer] = await server.awaitAnswer(lds.typeUrl);
  assert.equal(answer?.verdict.kind, "acked");
  assert.match(client.status().server, new RegExp(`:${server.port}$`));
});

test("a cluster without hosts is tried again until it has one", async () => {
  await using server = await ManagementServer.start();
  server.setResources(lds.typeUrl, served(lds.typeUrl, { a: "one" }));
  const endpoints: string[] = [];
  using client = connect([{ name: "xds", endpoints: () => endpoints }]);
  client.changes$(lds).subscribe();
  await until(() => client.status().stream.kind === "backingOff", "the first attempt fails");
  endpoints.push(`127.0.0.1:${server.port}`);
  const [answer] = await server.awaitAnswer(lds.typeUrl);
  assert.equal(answer?.verdict.kind, "acked");
});

test("a Unix socket serves like a port", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-xds-"));
  using cleanup = new DisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  const address = `unix:${path.join(folder, "xds.sock")}`;
  await using server = await ManagementServer.start({ address });
  server.setResources(lds.typeUrl, served(lds.typeUrl, { a: "one" }));
  using client = connect([{ name: "xds", endpoints: () => [address], authority: "xds_cluster" }], {
    isDelta: true,
  });
  client.changes$(lds).subscribe();
  const [answer] = await server.awaitAnswer(lds.typeUrl);
  assert.equal(answer?.verdict.kind, "acked");
});

test("the stream carries the configured authority and metadata", async () => {
  const server = new Server();
  using cleanup = new DisposableStack();
  cleanup.defer(() => server.forceShutdown());
  const { stream, delta: deltaMethod } = aggregatedDiscovery();
  const { promise, resolve } = Promise.withResolvers<string>();
  const open = (call: ServerDuplexStream<Buffer, Buffer>): void => {
    resolve(`${call.getHost()} ${call.metadata.get("x-token").join()}`);
    call.end();
  };
  server.addService({ stream, delta: deltaMethod }, { stream: open, delta: open });
  const { promise: bound, resolve: onBound } = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, port) => onBound(port));
  const target: GrpcTarget = {
    ...to(await bound),
    authority: "xds_cluster",
    initialMetadata: [
      { key: "x-token", value: "secret" },
      { key: "x-token", value: "other" },
    ],
  };
  using client = connect([target]);
  client.changes$(lds).subscribe();
  assert.equal(await promise, "xds_cluster secret, other");
});
