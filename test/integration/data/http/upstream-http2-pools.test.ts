/** How many connections and streams hosts of HTTP/2 get. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { setting } from "../../../../src/data/http/http2/frames.ts";
import { forEachProxy } from "../../../support/each-proxy.ts";
import { connectHttp2, request } from "../../../support/http2-client.ts";
import { answersWhole, settings } from "../../../support/http2-frames.ts";
import type { ProxyProcess } from "../../../support/proxy-process.ts";
import { type HostConnection, ScriptedHttp2Host } from "../../../support/scripted-http2-host.ts";
import { adminOnPortZero } from "../../../support/sluice-program.ts";
import { http2Cluster, httpListener } from "../../../support/truth-resources.ts";
import { until } from "../../../support/until.ts";

interface Stage {
  readonly host: ScriptedHttp2Host;
  readonly proxy: ProxyProcess;
  /** Requests that the host has not answered. */
  readonly held: HostConnection[];
  ask(): Promise<number>;
  /** The host has that many requests more. */
  arrived(count: number): Promise<void>;
  stat(name: string): Promise<number>;
}

interface Case {
  /** Of the cluster. */
  readonly cluster?: object;
  /** `http2_protocol_options`. */
  readonly options?: object;
  /** Beside `explicit_http_config`. */
  readonly beside?: object;
  readonly hello?: Buffer;
  /** Before a host's first SETTINGS Envoy takes it that it may have 1,024 streams. */
  readonly envoyGuesses?: true;
  readonly play: (stage: Stage) => Promise<void>;
}

const answer = ({ id, send }: HostConnection): void => send(answersWhole(id));
const allows = (streams: number): Buffer => settings([setting.maxConcurrentStreams, streams]);

/** One that is answered: the host's SETTINGS are known after it. */
async function warm(stage: Stage): Promise<void> {
  const status = stage.ask();
  await stage.arrived(1);
  stage.held.splice(0).forEach(answer);
  assert.equal(await status, 200);
}

async function answered(stage: Stage, count: number): Promise<void> {
  const statuses = Array.from({ length: count }, () => stage.ask());
  await stage.arrived(count);
  stage.held.splice(0).forEach(answer);
  assert.deepEqual(await Promise.all(statuses), Array(count).fill(200));
}

const cases: Readonly<Record<string, Case>> = {
  "as many streams as the host allows": {
    hello: allows(2),
    envoyGuesses: true,
    async play(stage) {
      await warm(stage);
      await answered(stage, 5);
      assert.equal(stage.host.connections, 3);
    },
  },
  "as many streams as we allow ourselves": {
    options: { max_concurrent_streams: 2 },
    async play(stage) {
      await answered(stage, 5);
      assert.equal(stage.host.connections, 3);
    },
  },
  "fewer streams from now on": {
    hello: allows(100),
    async play(stage) {
      const first = stage.ask();
      await stage.arrived(1);
      for (const { id, send } of stage.held.splice(0)) send(allows(1), answersWhole(id));
      await first;
      const statuses = [stage.ask(), stage.ask(), stage.ask()];
      await stage.arrived(3);
      const onFirst = stage.held.filter(({ connection }) => connection === 1);
      assert.equal(onFirst.length, 1);
      stage.held.splice(0).forEach(answer);
      assert.deepEqual(await Promise.all(statuses), [200, 200, 200]);
    },
  },
  "the breaker of requests": {
    cluster: { circuit_breakers: { thresholds: [{ max_requests: 2 }] } },
    async play(stage) {
      await warm(stage);
      const statuses = Array.from({ length: 5 }, () => stage.ask());
      await stage.arrived(2);
      await until(async () => (await stage.stat("upstream_rq_503")) === 3, "three are too many");
      stage.held.splice(0).forEach(answer);
      const sorted = (await Promise.all(statuses)).toSorted((a, b) => a - b);
      assert.deepEqual(sorted, [200, 200, 503, 503, 503]);
      assert.equal(await stage.stat("upstream_rq_active_overflow"), 3);
    },
  },
  "the breaker of connections": {
    hello: allows(1),
    cluster: { circuit_breakers: { thresholds: [{ max_connections: 2 }] } },
    envoyGuesses: true,
    async play(stage) {
      await warm(stage);
      const statuses = [stage.ask(), stage.ask(), stage.ask()];
      await stage.arrived(2);
      await until(
        async () => (await stage.stat("upstream_rq_pending_active")) === 1,
        "one waits for a stream",
      );
      stage.held.splice(0).forEach(answer);
      await stage.arrived(1);
      stage.held.splice(0).forEach(answer);
      assert.deepEqual(await Promise.all(statuses), [200, 200, 200]);
      assert.equal(stage.host.connections, 2);
      assert((await stage.stat("upstream_cx_overflow")) >= 1);
    },
  },
  "so many requests a connection": {
    beside: { common_http_protocol_options: { max_requests_per_connection: 2 } },
    async play(stage) {
      await answered(stage, 6);
      assert.equal(stage.host.connections, 3);
      await until(() => stage.host.open === 0, "each has had its requests");
      assert.equal(await stage.stat("upstream_cx_max_requests"), 3);
    },
  },
  "idle for too long": {
    beside: { common_http_protocol_options: { idle_timeout: "0.1s" } },
    async play(stage) {
      await warm(stage);
      await until(() => stage.host.open === 0, "the connection is idle");
      assert.equal(await stage.stat("upstream_cx_idle_timeout"), 1);
    },
  },
  "open for too long": {
    beside: { common_http_protocol_options: { max_connection_duration: "0.1s" } },
    async play(stage) {
      const status = stage.ask();
      await stage.arrived(1);
      await until(
        async () => (await stage.stat("upstream_cx_max_duration_reached")) === 1,
        "its time is over",
      );
      const other = stage.ask();
      await stage.arrived(1);
      assert.equal(stage.host.connections, 2);
      stage.held.splice(0).forEach(answer);
      assert.deepEqual(await Promise.all([status, other]), [200, 200]);
      await until(() => stage.host.open === 0, "both have gone");
    },
  },
  "a connection ahead of each request": {
    options: { max_concurrent_streams: 1 },
    cluster: { preconnect_policy: { per_upstream_preconnect_ratio: 2 } },
    async play(stage) {
      const statuses = [stage.ask()];
      await stage.arrived(1);
      await until(() => stage.host.connections === 2, "one is ahead");
      statuses.push(stage.ask());
      await stage.arrived(1);
      await until(() => stage.host.connections === 4, "two are ahead");
      stage.held.splice(0).forEach(answer);
      assert.deepEqual(await Promise.all(statuses), [200, 200]);
      await answered(stage, 1);
      assert.equal(stage.host.connections, 4);
    },
  },
};

forEachProxy("connections of HTTP/2 are as many as Envoy's", async (start, open) => {
  const entries = Object.entries(cases);
  const helds = entries.map((): HostConnection[] => []);
  const hosts = await Promise.all(
    entries.map(async ([, { hello }], i) =>
      open.use(await ScriptedHttp2Host.start((connection) => helds[i]?.push(connection), hello)),
    ),
  );
  const clusters = entries.map(([, { cluster, options, beside }], i) => ({
    ...http2Cluster(`c${i}`, hosts[i]?.port ?? 0, options, beside),
    ...cluster,
  }));
  const routes = entries.map((_, i) => ({
    match: { prefix: `/${i}` },
    route: { cluster: `c${i}` },
  }));
  const virtualHost = { name: "v", domains: ["*"], routes };
  const listener = httpListener("l", {
    route_config: { name: "r", virtual_hosts: [virtualHost] },
  });
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: { listeners: [listener], clusters },
  });
  const port = await until(async () => (await proxy.listenerPorts()).get("l"), "it listens");
  const session = await connectHttp2(port);
  open.defer(() => session.destroy());
  for (const [i, [name, { play, envoyGuesses = false }]] of entries.entries()) {
    if (envoyGuesses && process.env["SLUICE_TEST_PROXY"] !== undefined) continue;
    const [host, held] = [hosts[i], helds[i]];
    assert(host && held);
    try {
      await play(stageOf(i, { host, held, proxy, session }));
    } catch (error) {
      throw new Error(name, { cause: error });
    }
  }
});

function stageOf(
  index: number,
  parts: Pick<Stage, "host" | "held" | "proxy"> & { readonly session: ClientHttp2Session },
): Stage {
  const { host, held, proxy, session } = parts;
  let seen = 0;
  return {
    host,
    held,
    proxy,
    ask: async () => (await request(session, { ":path": `/${index}` })).status,
    arrived: async (count) => {
      seen += count;
      await until(() => host.requests >= seen, `${seen} requests arrive, not ${host.requests}`);
    },
    stat: (name) => proxy.stat(`cluster.c${index}.${name}`),
  };
}
