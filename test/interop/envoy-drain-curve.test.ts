import assert from "node:assert/strict";
import { Agent } from "node:http";
import { test } from "node:test";
import { installedEnvoy } from "../../bench/programs.ts";
import { get } from "../support/http-client.ts";
import { ProxyProcess } from "../support/proxy-process.ts";

const envoy = installedEnvoy();
const drainS = 60;
const clients = 400;
const everyMs = 1_000;
/** As in `scripts/drain-curve.mjs`, which draws by this rule. */
const rampS = drainS / 2;

/**
 * The curve of Envoy in docs/DRAINING.md is its rule, not a run of it; this asks Envoy itself. Each response is
 * weighed by the second in which it came, so that a slow machine shifts both sides alike.
 */
test(
  "Envoy tells busy connections by chance, which rises over half of the drain time",
  { skip: envoy === undefined && "Envoy is not installed" },
  async () => {
    await using proxy = await ProxyProcess.start(
      bootstrap(),
      ["--drain-time-s", String(drainS)],
      envoy,
    );
    const port = (await proxy.listenerPorts()).get("web") ?? assert.fail("web does not listen");
    const agents = Array.from({ length: clients }, () => new Agent({ keepAlive: true }));
    await Promise.all(agents.map((agent) => get(port, "/", agent)));
    await proxy.admin("/drain_listeners?graceful&skip_exit", "POST");
    const startMs = performance.now();
    let seconds = 0;
    let told = 0;
    const askUntilTold = async (agent: Agent, phase: number): Promise<void> => {
      for (let n = 0; ; n++) {
        await at(startMs + (n + phase) * everyMs);
        const { headers } = await get(port, "/", agent);
        seconds += Math.floor((performance.now() - startMs) / 1_000);
        if (headers.connection !== "close") continue;
        told++;
        return agent.destroy();
      }
    };
    await Promise.all(agents.map((agent, index) => askUntilTold(agent, index / clients)));
    assert.equal(told, clients);
    // Over all responses the chances add up to those that were told, give or take 20 of 400: four times as much.
    const ramp = seconds / told;
    assert(Math.abs(ramp - rampS) < rampS / 5, `it rises over ${ramp.toFixed(1)} s`);
  },
);

function at(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - performance.now())));
}

function bootstrap(): object {
  const type = (name: string): string => `type.googleapis.com/envoy.extensions.filters.${name}`;
  const manager = {
    "@type": type("network.http_connection_manager.v3.HttpConnectionManager"),
    statPrefix: "web",
    routeConfig: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, directResponse: { status: 200 } }],
        },
      ],
    },
    httpFilters: [{ name: "router", typedConfig: { "@type": type("http.router.v3.Router") } }],
  };
  const address = { socketAddress: { address: "127.0.0.1", portValue: 0 } };
  return {
    admin: { address },
    staticResources: {
      listeners: [
        {
          name: "web",
          address,
          filterChains: [{ filters: [{ name: "hcm", typedConfig: manager }] }],
        },
      ],
    },
  };
}
