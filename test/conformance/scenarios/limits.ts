/** Limits and timeouts of a listener's connections. */
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { httpChain, listener, tcpChain } from "../resources.ts";
import { drainTimeMs, immediate, now, type Scenario } from "../scenario.ts";

const runtime = (values: Readonly<Record<string, number>>) => ({
  fields: {
    layered_runtime: {
      layers: [
        { name: "static", static_layer: values },
        { name: "admin", admin_layer: {} },
      ],
    },
  },
});

export const limits: readonly Scenario[] = [
  {
    name: "connection limit",
    async play(stage) {
      const key = "envoy.resource_limits.listener.a.connection_limit";
      await stage.pushed("added", listener("a", stage.at("A")));
      const first = stage.connect();
      stage.note("the first", await first.ask());
      stage.step("a limit of one");
      stage.note("answer", await stage.adminPost(`/runtime_modify?${key}=1`));
      await stage.settle();
      stage.note("the first", await first.ask());
      stage.note("a second is served", await stage.connect().isServed());
      await stage.noteStats();
      stage.step("a limit of two");
      await stage.adminPost(`/runtime_modify?${key}=2`);
      await stage.settle();
      const second = stage.connect();
      stage.note("a second", await second.ask());
      stage.note("a third is served", await stage.connect().isServed());
      await stage.noteStats();
      stage.step("one has left");
      first.socket.end();
      await stage.untilStat(stage.statOf("A", "downstream_cx_active"), 1);
      stage.note("another", await stage.ask());
      await stage.noteStats();
    },
  },
  {
    name: "connection limit over an update",
    bootstrap: () => runtime({ "envoy.resource_limits.listener.a.connection_limit": 1 }),
    async play(stage) {
      await stage.push(listener("a", stage.at("A")));
      const open = stage.connect();
      await open.ask();
      await stage.noteStats();
      const chains = { filter_chains: [httpChain("other")] };
      await stage.pushed("in place", listener("a", stage.at("A"), chains));
      stage.note("a new connection is served", await stage.connect().isServed());
      const full = { ...chains, per_connection_buffer_limit_bytes: 65_536 };
      await stage.pushed("in full", listener("a", stage.at("A"), full));
      stage.note("a new connection", await stage.ask());
      stage.note("the old one", open.ending);
    },
  },
  {
    name: "global connection limit",
    bootstrap: () => {
      const { fields } = runtime({ "overload.global_downstream_max_connections": 1 });
      return {
        fields: { ...fields, admin: { ...adminOnPortZero, ignore_global_conn_limit: true } },
      };
    },
    async play(stage) {
      const exempt = { ignore_global_conn_limit: true };
      await stage.push(listener("a", stage.at("A")), listener("b", stage.at("B"), exempt));
      stage.step("a limit of one");
      const first = stage.connect();
      stage.note("the first is served", await first.isServed());
      stage.note("a second is served", await stage.connect().isServed());
      stage.note("of a listener that ignores it", await stage.ask("B"));
      const refused = await stage.proxy.stat(stage.statOf("A", "downstream_global_cx_overflow"));
      stage.note("refused ones are counted", refused > 0);
    },
  },
  {
    name: "timeouts",
    async play(stage) {
      const withManager = (manager: object) => ({ filter_chains: [httpChain("a", { manager })] });
      await stage.push(
        listener(
          "idle",
          stage.at("A"),
          withManager({
            drain_timeout: "0.2s",
            common_http_protocol_options: { idle_timeout: "1s" },
          }),
        ),
        listener(
          "old",
          stage.at("B"),
          withManager({
            drain_timeout: "0.2s",
            common_http_protocol_options: { max_connection_duration: "1s" },
          }),
        ),
        listener("delayed", stage.at("C"), withManager({})),
        listener("tcp", stage.at("D"), {
          filter_chains: [tcpChain("tcp", { proxy: { idle_timeout: "1s" } })],
        }),
        listener(
          "few",
          stage.at("E"),
          withManager({ common_http_protocol_options: { max_requests_per_connection: 2 } }),
        ),
      );
      await stage.noteStats();
      stage.step("idle_timeout");
      const idle = stage.connect("A");
      await idle.ask();
      await idle.ended();
      stage.note("idle", idle.ending);
      await stage.noteStats();
      stage.step("max_connection_duration");
      const old = stage.connect("B");
      stage.note("the last answer", await old.askUntilClose());
      await old.ended();
      stage.note("old", old.ending);
      await stage.noteExcept(/rq/);
      stage.step("connection: close");
      const closing = stage.connect("C");
      stage.note("answer", await closing.ask("/", ["connection: close"]));
      await closing.ended();
      stage.note("closing", closing.ending);
      await stage.noteStats();
      stage.step("idle_timeout of TCP");
      const raw = stage.connect("D");
      await raw.echo("hello");
      await raw.ended();
      stage.note("TCP", raw.ending);
      await stage.noteStats();
      stage.step("max_requests_per_connection");
      const few = stage.connect("E");
      stage.note("answers", [await few.ask(), await few.ask()].join());
      await few.ended();
      stage.note("few", few.ending);
      await stage.noteStats();
    },
  },
  {
    name: "check_drain_close",
    flags: immediate,
    async play(stage) {
      const chain = tcpChain("tcp", { proxy: { check_drain_close: true } });
      await stage.pushed("added", listener("a", stage.at("A"), { filter_chains: [chain] }));
      const [busy, idle] = [stage.connect(), stage.connect()];
      await busy.echo("hello");
      await idle.echo("hello");
      await stage.noteStats();
      stage.step("removed");
      const started = now();
      await stage.push();
      await stage.untilStat("listener_manager.total_listeners_draining", 1);
      busy.send("more");
      stage.note("busy", await busy.endedWithin(started, drainTimeMs));
      stage.note("idle", await idle.endedWithin(started, drainTimeMs));
      await stage.noteStats();
    },
  },
];
