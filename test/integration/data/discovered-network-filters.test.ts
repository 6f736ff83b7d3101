import assert from "node:assert/strict";
import type { PlainNetworkFilterConfig } from "../../../src/shared/config/listener-config.ts";
import { listenerStats } from "../../../src/shared/stats/stat-names.ts";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import {
  filterChain,
  listenerConfig,
  tcpChain,
  tcpProxyConfig,
} from "../../support/listener-fixture.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import { forEachWorkerKind } from "../../support/test-workers.ts";

const noop = { kind: "noop", name: "n" } as const;
const discovered = { kind: "discovered", id: "e", fallback: undefined } as const;
const noSlots = { http: [], tcp: [], tcpOnDemand: [], http1: 0, http2: 0, credentialInjector: [] };
const discoveredFilter = (config: PlainNetworkFilterConfig) =>
  ({ category: "network", config, slots: noSlots }) as const;

forEachWorkerKind(
  "one in front of another filter closes connections until it is there",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const { filters } = tcpChain("c");
    const chain = filterChain({ filters: [discovered, ...filters] });
    const listener = await workers.addListener(listenerConfig({ filterChains: [chain] }));
    await new TestClient(listener.port).ended();
    const filter = discoveredFilter(noop);
    await workers.request((reply) => ({ kind: "setFilterConfig", id: "e", filter, reply }));
    await new TestClient(listener.port).echo("through both");
    await workers.request((reply) => ({ kind: "removeFilterConfig", id: "e", reply }));
    await new TestClient(listener.port).ended();
    assert.equal(
      workers.stat(listenerStats, listener.slots.listener, "network_extension_config_missing"),
      2,
    );
  },
);

forEachWorkerKind(
  "a replaced one is done with when its last connection has gone",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const chain = filterChain({ filters: [discovered] });
    const listener = await workers.addListener(listenerConfig({ filterChains: [chain] }));
    const set = (statPrefix: string): Promise<unknown> => {
      const filter = discoveredFilter({ kind: "tcpProxy", config: tcpProxyConfig({ statPrefix }) });
      return workers.request((reply) => ({ kind: "setFilterConfig", id: "e", filter, reply }));
    };
    await set("one");
    const first = new TestClient(listener.port);
    await first.echo("one");
    let isReplaced = false;
    const replaced = set("two").then(() => (isReplaced = true));
    // Nobody came while the second was there, so nobody is waited for, whoever is served by older ones.
    await set("three");
    const last = new TestClient(listener.port);
    await last.echo("three");
    await first.echo("still by the first");
    assert.equal(isReplaced, false);
    first.socket.destroy();
    await replaced;
    last.socket.destroy();
  },
);
