/** What connections see of a drain, by what started it and by strategy. */
import { httpChain, listener, shortIdleGrace, tcpChain } from "../resources.ts";
import { drainTimeMs, immediate, now, type Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

const tcp = { filter_chains: [tcpChain("tcp")] };

/** A listener of each kind, with a connection of every sort, is removed. */
async function removeAll(stage: Stage): Promise<void> {
  const shortDrainTimeout = { manager: { drain_timeout: "0.2s", delayed_close_timeout: "0.2s" } };
  const web = listener("web", stage.at("A"), {
    ...shortIdleGrace,
    filter_chains: [httpChain("a", shortDrainTimeout)],
  });
  await stage.pushed("added", web, listener("tcp", stage.at("B"), tcp));
  const [steady, idle, untouched] = [stage.connect(), stage.connect(), stage.connect()];
  const raw = stage.connect("B");
  await untouched.connected();
  stage.note("HTTP", [await steady.ask(), await idle.ask()].join());
  await raw.echo("hello");
  stage.step("removed");
  const started = now();
  await stage.push();
  stage.note("the last answer of a busy one", await steady.askUntilClose());
  stage.note("a busy one", await steady.endedWithin(started, drainTimeMs));
  await idle.ended();
  await untouched.ended();
  stage.note("an idle one", idle.ending);
  stage.note("one that never sent a byte", untouched.ending);
  stage.note("TCP", await raw.endedWithin(started, drainTimeMs));
  await stage.untilDrained();
}

/** A server-wide drain by the admin: of connections that are there before it, and of listeners that come during it. */
function adminDrain(name: string, query: string): Scenario {
  return {
    name,
    flags: immediate,
    async play(stage) {
      const inbound = { traffic_direction: "INBOUND" };
      const all = [
        listener("in", stage.at("A"), inbound),
        listener("out", stage.at("B"), { traffic_direction: "OUTBOUND" }),
        listener("tcp", stage.at("C"), { ...tcp, ...inbound }),
      ];
      await stage.push(...all);
      const [inside, outside, raw] = [stage.connect("A"), stage.connect("B"), stage.connect("C")];
      await inside.ask();
      await outside.ask();
      await raw.echo("hello");
      await stage.noteStats();
      stage.step("asked for");
      const started = now();
      stage.note("answer", await stage.adminPost(`/drain_listeners${query}`));
      stage.note("again", await stage.adminPost(`/drain_listeners${query}`));
      // Workers have it by then.
      await stage.settle();
      stage.note("an old inbound connection", await inside.askAndLeave());
      stage.note("an old outbound connection", await outside.askAndLeave());
      await noteNewConnections(stage);
      await stage.noteStats();
      const more = listener("more", stage.at("D"), inbound);
      await stage.pushed("an addition", ...all, more);
      stage.note("what was added", await stage.ask("D"));
      await stage.noteStats();
      stage.step("after the drain time");
      await stage.pause(started + 1.2 * drainTimeMs);
      await stage.settle();
      await noteNewConnections(stage);
      stage.note("ready", await stage.adminText("/ready"));
      stage.note("active listeners", [...(await stage.proxy.listenerPorts()).keys()].join());
      await raw.echo("hello");
      stage.note("TCP", raw.ending);
      await stage.noteStats();
      await stage.pushed("another addition", ...all, more, listener("late", stage.at("E")));
      stage.note("what was added", await stage.ask("E"));
      stage.step("a removal");
      await stage.push(all[1] ?? {}, more);
      stage.note("active listeners", [...(await stage.proxy.listenerPorts()).keys()].join());
    },
  };
}

async function noteNewConnections(stage: Stage): Promise<void> {
  stage.note("a new inbound connection", await stage.ask("A"));
  stage.note("a new outbound connection", await stage.ask("B"));
}

export const drains: readonly Scenario[] = [
  { name: "gradual drain", play: removeAll },
  { name: "immediate drain", flags: immediate, play: removeAll },
  adminDrain("drain_listeners", ""),
  adminDrain("drain_listeners graceful", "?graceful"),
  adminDrain("drain_listeners graceful skip_exit", "?graceful&skip_exit"),
  adminDrain("drain_listeners skip_exit", "?skip_exit"),
  adminDrain("drain_listeners inboundonly", "?inboundonly"),
  adminDrain("drain_listeners graceful inboundonly", "?graceful&inboundonly"),
  {
    name: "TCP after drain_listeners",
    async play(stage) {
      await stage.pushed("added", listener("tcp", stage.at("A"), tcp));
      const raw = stage.connect("A");
      await raw.echo("hello");
      const started = now();
      stage.note("answer", await stage.adminPost("/drain_listeners?graceful"));
      stage.note("by GET", await stage.adminText("/drain_listeners"));
      await stage.pause(started + 1.2 * drainTimeMs);
      stage.step("after the drain time");
      await raw.echo("hello");
      stage.note("TCP", raw.ending);
      await stage.noteStats();
    },
  },
  {
    name: "health check failed",
    async play(stage) {
      const modifyOnly = { drain_type: "MODIFY_ONLY" };
      await stage.pushed(
        "added",
        listener("a", stage.at("A")),
        listener("b", stage.at("B"), modifyOnly),
      );
      const [heeding, heedless, idle] = [
        stage.connect("A"),
        stage.connect("B"),
        stage.connect("A"),
      ];
      stage.note("before", [await heeding.ask(), await heedless.ask(), await idle.ask()].join());
      await stage.noteStats();
      stage.step("failed");
      stage.note("answer", await stage.adminPost("/healthcheck/fail"));
      stage.note("ready", await stage.adminText("/ready"));
      stage.note("DEFAULT", await heeding.askAndLeave());
      stage.note("MODIFY_ONLY", await heedless.ask());
      stage.note("a new connection, DEFAULT", await stage.ask("A"));
      stage.note("a new connection, MODIFY_ONLY", await stage.ask("B"));
      await stage.noteStats();
      stage.step("well again");
      stage.note("answer", await stage.adminPost("/healthcheck/ok"));
      stage.note("ready", await stage.adminText("/ready"));
      stage.note("one that was idle meanwhile", await idle.ask());
      stage.note("a new connection, DEFAULT", await stage.ask("A"));
      await stage.noteStats();
    },
  },
  {
    name: "modify only while the server drains",
    flags: immediate,
    async play(stage) {
      const all = [
        listener("a", stage.at("A"), shortIdleGrace),
        listener("b", stage.at("B"), { ...shortIdleGrace, drain_type: "MODIFY_ONLY" }),
      ];
      await stage.push(...all);
      const [heeding, heedless] = [stage.connect("A"), stage.connect("B")];
      stage.note("before", [await heeding.ask(), await heedless.ask()].join());
      await stage.noteStats();
      stage.step("asked for");
      stage.note("answer", await stage.adminPost("/drain_listeners?graceful&skip_exit"));
      await stage.settle();
      stage.note("DEFAULT", await heeding.askAndLeave());
      stage.note("MODIFY_ONLY", await heedless.askAndLeave());
      stage.note("a new connection, DEFAULT", await stage.ask("A"));
      stage.note("a new connection, MODIFY_ONLY", await stage.ask("B"));
      await stage.noteStats();
      stage.step("failed besides");
      stage.note("answer", await stage.adminPost("/healthcheck/fail"));
      stage.note("a new connection, DEFAULT", await stage.ask("A"));
      stage.note("a new connection, MODIFY_ONLY", await stage.ask("B"));
      await stage.noteStats();
    },
  },
];
