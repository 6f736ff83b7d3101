/** Listeners that are refused, or passed over: which, in what words, and what goes on working. */
import { once } from "node:events";
import { createServer } from "node:net";
import { httpChain, listener, silentRdsFor, tcpChain } from "../resources.ts";
import type { Scenario } from "../scenario.ts";

const from = (prefix: string, length: number): object => ({
  source_prefix_ranges: [{ address_prefix: prefix, prefix_len: length }],
});

export const refusals: readonly Scenario[] = [
  {
    name: "bind failure",
    async play(stage) {
      const [a, good] = [listener("a", stage.at("A")), listener("good", stage.at("B"))];
      await stage.pushed("one that takes the port", a);
      const bad = listener("bad", { host: "192.0.2.1", port: 80 });
      await stage.pushed("one bad, one good", a, bad, good);
      stage.note("errors", await stage.errors());
      stage.note("the good one", await stage.ask("B"));
      await stage.pushed("an address that is taken", a, listener("twice", stage.at("A")), good);
      stage.note("errors", await stage.errors());
      stage.note("the one that has it", await stage.ask("A"));
      await stage.pushed("a name twice", a, good, good);
      stage.note("errors", await stage.errors());
      await stage.pushed("good again", a, good);
      stage.note("errors", await stage.errors());
    },
  },
  {
    name: "refused listeners",
    async play(stage) {
      const good = listener("good", stage.at("A"));
      const bad: Readonly<Record<string, object>> = {
        "no address": listener("bad", stage.at("B"), { address: undefined }),
        "no filter chain": listener("bad", stage.at("B"), { filter_chains: [] }),
        "overlapping chains": listener("bad", stage.at("B"), {
          filter_chains: [
            httpChain("one", {
              match: {
                source_prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }],
                source_ports: [1, 2],
              },
            }),
            httpChain("two", {
              match: {
                source_prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }],
                source_ports: [2, 3],
              },
            }),
          ],
        }),
        "equal chains": listener("bad", stage.at("B"), {
          filter_chains: [
            httpChain("one", { match: from("10.0.0.0", 8) }),
            httpChain("two", { match: from("10.0.0.0", 8) }),
          ],
        }),
        "an unknown cluster": listener("bad", stage.at("B"), {
          filter_chains: [tcpChain("tcp", { proxy: { cluster: "nowhere" } })],
        }),
        "a value out of bounds": listener("bad", stage.at("B"), {
          filter_chains: [tcpChain("tcp", { proxy: { max_connect_attempts: 0 } })],
        }),
      };
      await stage.push(good);
      for (const [what, resource] of Object.entries(bad)) {
        await stage.pushed(what, good, resource);
        stage.note("errors", await stage.errors());
        stage.note("a request of the good one", await stage.ask());
      }
    },
  },
  {
    name: "api listener",
    async play(stage) {
      const api = listener("api", stage.at("A"), {
        api_listener: {
          api_listener: {
            "@type":
              "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix: "api",
            route_config: {},
          },
        },
      });
      await stage.pushed("by LDS, beside another", api, listener("b", stage.at("B")));
      stage.note("errors", await stage.errors());
      stage.note("its address", await stage.ask("A"));
      stage.note("the other", await stage.ask("B"));
    },
  },
  {
    name: "default filter chain",
    async play(stage) {
      const only = (fallback: string | undefined) =>
        listener("a", stage.at("A"), {
          filter_chains: [httpChain("matched", { match: from("127.0.0.2", 32) })],
          ...(fallback !== undefined && { default_filter_chain: httpChain(fallback) }),
        });
      await stage.pushed("none", only(undefined));
      stage.note("what no chain matches", await stage.connect("A", "127.0.0.1").isServed());
      await stage.noteStats();
      await stage.pushed("one", only("fallback"));
      const matched = stage.connect("A", "127.0.0.2");
      stage.note("what a chain matches", await matched.ask());
      const unmatched = stage.connect("A", "127.0.0.1");
      stage.note("what no chain matches", await unmatched.ask());
      await stage.pushed("another", only("other"));
      stage.note("what a chain matched", await matched.ask());
      stage.note("a new one that no chain matches", await stage.ask());
      await unmatched.ended();
      stage.note("what no chain matched", unmatched.ending);
      await stage.untilDrained();
    },
  },
  {
    name: "bind_to_port false",
    async play(stage) {
      const unbound = listener("a", stage.at("A"), { bind_to_port: false });
      await stage.pushed("added", unbound);
      stage.note("a connection", await stage.ask());
      await stage.pushed("bound", listener("a", stage.at("A")));
      stage.note("a connection", await stage.ask());
      stage.step("beside it, one that is bound");
      await stage.push(unbound, listener("b", stage.at("A")));
      stage.note("errors", await stage.errors());
    },
  },
  {
    name: "cannot listen once it is warm",
    hasSilentServer: true,
    async play(stage) {
      // A socket a worker would let others share the address.
      const oneSocket = { enable_reuse_port: false };
      await stage.pushed("added", listener("a", stage.at("A"), oneSocket));
      stage.note("a request", await stage.ask());
      stage.step("another address");
      const manager = silentRdsFor("2s");
      await stage.push(
        listener("a", stage.at("B"), {
          ...oneSocket,
          filter_chains: [httpChain("never", { manager })],
        }),
      );
      // It is bound and does not listen yet, so somebody else can take the address, who does.
      const { host, port } = stage.at("B");
      await using squatter = createServer().listen(port, host);
      await once(squatter, "listening");
      await stage.untilStat("listener_manager.total_listeners_warming", 0);
      await stage.settle();
      await stage.noteExcept(/^(http|listener)\./);
      stage.note("a request of the old address", await stage.ask());
      stage.note("active listeners", [...(await stage.proxy.listenerPorts()).keys()].join());
    },
  },
];
