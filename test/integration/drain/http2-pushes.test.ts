/**
 * Nothing is lost under pushes: clients hold a hundred streams on each of ten connections while everything below them is
 * changed. `SLUICE_TEST_PROXY=envoy` runs it against Envoy, which loses some.
 */
import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { freePort } from "../../support/free-port.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import { Http2Crowd } from "../../support/http2-crowd.ts";
import { startHttp2Upstream } from "../../support/http2-upstream.ts";
import { LibraryCrowd } from "../../support/library-crowd.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { until } from "../../support/until.ts";
import {
  adsBootstrap,
  endpoints,
  grpcCluster,
  httpListener,
  routes,
} from "../../support/xds-resources.ts";

const rounds = Number(process.env["SLUICE_TEST_ROUNDS"] ?? 2);
const crowdSize = { connections: 10, streams: 100 };
/** Streams that hosts keep unanswered: half of what clients have under way. */
const heldMost = 500;

forEachProxy("ten times a hundred streams meet every kind of push", async (start, open) => {
  const held: ServerHttp2Stream[] = [];
  const answerTo = (most: number): void => {
    for (const stream of held.splice(0, Math.max(0, held.length - most))) {
      if (stream.destroyed) continue;
      stream.respond({ ":status": 200 });
      stream.end("held for a while");
    }
  };
  const startHost = async (): Promise<number> => {
    const upstream = await startHttp2Upstream((stream) => {
      held.push(stream);
      answerTo(heldMost);
    });
    return open.use(upstream).port;
  };
  const hosts = [await startHost(), await startHost()] as const;
  const server = open.use(await PushingServer.start());
  const port = await freePort();
  server.offer("clusters", [web("1s")]);
  server.offer("endpoints", [endpoints("web", hosts[0])]);
  server.offer("routes", [routes("web", "web", "v1")]);
  server.offer("listeners", [listener(port)]);
  const flags = ["--concurrency", "2", "--drain-time-s", "60", "--drain-strategy", "immediate"];
  const proxy = await start(adsBootstrap("crowd", server.address), flags);
  await until(async () => (await proxy.listenerPorts()).has("moving"), "it listens");
  const crowd = open.use(new Http2Crowd(port, crowdSize));
  const library = open.use(new LibraryCrowd(port, { connections: 2, streams: 100 }));
  /** More answers than streams were under way: those that were have their answer, if the hosts gave them any. */
  const flow = async (): Promise<void> => {
    const [from, libraryFrom] = [crowd.answered, library.answered];
    await until(() => crowd.answered > from + 1_500, "traffic flows");
    await until(() => library.answered > libraryFrom + 300, "traffic of the library flows");
  };
  await flow();
  const steps: Readonly<Record<string, (round: number) => Promise<void>>> = {
    "in place": (round) => server.accepted("listeners", [listener(port, { name: `s${round}` })]),
    routes: (round) => server.accepted("routes", [routes("web", "web", `v${round}`)]),
    "a chain is changed": (round) =>
      server.accepted("listeners", [listener(port, { chain: `c${round}` })]),
    swapped: (round) => server.accepted("listeners", [listener(port, { limit: 500_000 + round })]),
    "hosts leave": (round) =>
      server.accepted("endpoints", [endpoints("web", hosts[(round + 1) % 2] ?? 0)]),
    "a cluster is replaced": async (round) => {
      await server.accepted("clusters", [web(`${2 + round}s`)]);
      server.offer("endpoints", [endpoints("web", hosts[round % 2] ?? 0)]);
    },
    "removed and added": async () => {
      await server.accepted("listeners", []);
      await until(() => {
        answerTo(0);
        return crowd.open === 0 && library.open === 0;
      }, "streams of the removed listener end");
      await server.accepted("listeners", [listener(port)]);
    },
  };
  for (let round = 0; round < rounds; round++) {
    for (const [name, push] of Object.entries(steps)) {
      await push(round);
      await flow();
      assert.deepEqual([...crowd.failures, ...library.failures], [], `${name}, round ${round}`);
    }
  }
  crowd.stop();
  library.stop();
  await until(() => {
    answerTo(0);
    return crowd.open === 0 && library.open === 0;
  }, "the last streams end");
  assert.deepEqual([...crowd.failures, ...library.failures], []);
  assert(crowd.told >= crowdSize.connections, `${crowd.told} connections were told to go`);
  assert(library.told >= 2, `${library.told} connections of the library were told to go`);
});

interface Version {
  readonly name?: string;
  readonly chain?: string;
  readonly limit?: number;
}

function listener(port: number, { name, chain, limit = 1_000_000 }: Version = {}): object {
  const made = httpListener("moving", "web", { port, bufferLimitBytes: limit }) as {
    filterChains: [{ filters: [{ typedConfig: object }] }];
  };
  const [first] = made.filterChains;
  if (chain !== undefined)
    return { ...made, filterChains: [{ ...first, name: chain, metadata: { filterMetadata: {} } }] };
  const [{ typedConfig, ...filter }] = first.filters;
  const named = name === undefined ? typedConfig : { ...typedConfig, serverName: name };
  return { ...made, filterChains: [{ filters: [{ ...filter, typedConfig: named }] }] };
}

/** Of hosts that speak HTTP/2. */
function web(connectTimeout: string): object {
  const { loadAssignment: _, ...fields } = grpcCluster("web", "");
  const edsConfig = { ads: {}, resourceApiVersion: "V3" };
  // Two generations of connections have twice the streams, beyond Envoy's 1,024.
  const [maxRequests, maxPendingRequests] = [100_000, 100_000];
  const circuitBreakers = { thresholds: [{ maxRequests, maxPendingRequests }] };
  return {
    ...fields,
    connectTimeout,
    type: "EDS",
    edsClusterConfig: { edsConfig },
    circuitBreakers,
  };
}
