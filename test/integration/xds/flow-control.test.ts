import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "node:test";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { aggregatedDiscovery } from "../../../src/control/proto/discovery-services.ts";
import { AdsMux } from "../../../src/control/xds/ads-mux.ts";
import { delta } from "../../../src/control/xds/delta-conversation.ts";
import { GrpcTransport } from "../../../src/control/xds/grpc-transport.ts";
import { sotw } from "../../../src/control/xds/sotw-conversation.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { systemClock } from "../../../src/shared/common/clock.ts";
import { writeDeltaResponse } from "../../../src/xds-server/delta-wire.ts";
import { writeDiscoveryResponse } from "../../../src/xds-server/discovery-wire.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { until } from "../../support/until.ts";

const cds = textType("CDS", "type.googleapis.com/envoy.config.cluster.v3.Cluster", true);
const { typeUrl } = cds;
const responseBytes = 64 << 10;
/** 64 MiB. */
const responseCount = 1024;

/** A server that says everything at once, as fast as the wire takes it. */
async function startFlood() {
  const server = new Server();
  const service = aggregatedDiscovery();
  const flood = { taken: 0 };
  const pour = async (
    stream: ServerDuplexStream<Buffer, Buffer>,
    write: (index: number) => Buffer,
  ): Promise<void> => {
    for (let index = 0; index < responseCount && !stream.destroyed; index++) {
      await new Promise((resolve) => {
        stream.write(write(index), resolve);
      });
      flood.taken++;
    }
  };
  const handle =
    (write: (index: number) => Buffer) =>
    (stream: ServerDuplexStream<Buffer, Buffer>): void => {
      stream.on("error", () => {});
      stream.once("data", () => void pour(stream, write));
    };
  const text = (index: number): Uint8Array =>
    textResource("a", `${index} ${"x".repeat(responseBytes)}`);
  server.addService(
    { sotw: service.stream, delta: service.delta },
    {
      sotw: handle((index) => {
        const resources = [{ typeUrl, bytes: text(index) }];
        return writeDiscoveryResponse({
          version: `${index}`,
          nonce: `${index}`,
          typeUrl,
          resources,
        });
      }),
      delta: handle((index) => {
        const version = `${index}`;
        const resources = [{ name: "a", version, typeUrl, bytes: text(index) }];
        return writeDeltaResponse({
          version,
          nonce: version,
          typeUrl,
          resources,
          removedNames: [],
        });
      }),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, flood, [Symbol.dispose]: () => server.forceShutdown() };
}

/** Resolves when a count has not moved for many turns of the event loop. */
async function standsStill(count: () => number): Promise<number> {
  for (let turns = 0, last = count(); turns < 2_000; turns++) {
    await nextTurn();
    if (count() === last) continue;
    last = count();
    turns = 0;
  }
  return count();
}

for (const dialect of [sotw, delta])
  test(`${dialect.streamName}: while a response is applied the server is stopped by the wire itself`, async () => {
    using server = await startFlood();
    const service = aggregatedDiscovery();
    using client = new AdsMux({
      transport: new GrpcTransport({
        method: dialect === delta ? service.delta : service.stream,
        targets: [{ name: "xds", endpoints: () => [`127.0.0.1:${server.port}`] }],
      }),
      clock: systemClock,
      random: seededRandom(1),
      logger: silentLogger,
      stats: noXdsStats,
      dialect,
      node: new Uint8Array(),
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    using _applied = { [Symbol.dispose]: resolve };
    let batches = 0;
    client.changes$(cds).subscribe((batch) => {
      batches++;
      batch.waitFor(promise);
    });
    await until(() => batches === 1, "the first batch");
    const taken = await standsStill(() => server.flood.taken);
    assert.equal(batches, 1);
    // What windows and socket buffers hold; the flood is 64 MiB.
    assert(taken * responseBytes < 8 << 20, `${taken} responses were taken while one was applied`);
    resolve();
    await until(() => batches === responseCount, "all the others, one by one");
  });
