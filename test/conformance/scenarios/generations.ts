/** Versions of a listener that drain at once, what takes their places, and addresses that change hands. */
import { setTimeout as pause } from "node:timers/promises";
import { addressOf, httpChain, listener, shortIdleGrace } from "../resources.ts";
import { drainTimeMs, now, type Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";
import type { WatchedConnection } from "../watched-connection.ts";

/** A connection that has a request under way until the drain cuts it. */
async function busy(stage: Stage): Promise<WatchedConnection> {
  const connection = stage.connect();
  const held = stage.upstream.hold();
  connection.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
  await held.arrived;
  return connection;
}

const version = (stage: Stage, tag: string): object =>
  listener("a", stage.at("A"), { filter_chains: [httpChain(tag)], stat_prefix: tag });

export const generations: readonly Scenario[] = [
  {
    name: "generations",
    async play(stage) {
      await stage.push(version(stage, "one"));
      stage.step("each by its own clock");
      const one = await busy(stage);
      const firstStarted = now();
      await stage.push(version(stage, "two"));
      await stage.untilStat("listener_manager.total_listeners_draining", 1);
      // Workers follow main, and drains that begin in one tick of a clock end in one.
      await pause(drainTimeMs / 8);
      const two = await busy(stage);
      const secondStarted = now();
      await stage.push(version(stage, "three"));
      await stage.untilStat("listener_manager.total_listeners_draining", 2);
      stage.note("a new connection", await stage.ask());
      stage.note("the first", await one.endedWithin(firstStarted, drainTimeMs));
      stage.note("the second", await two.endedWithin(secondStarted, drainTimeMs));
      stage.note("the first ended first", (one.endedAtMs ?? 0) < (two.endedAtMs ?? 0));
      await stage.untilDrained();
      stage.note("a new connection, in the end", await stage.ask());
      await stage.noteStats();
    },
  },
  {
    name: "remove and re-add",
    async play(stage) {
      const a = listener("a", stage.at("A"));
      await stage.pushed("added", a);
      const open = await busy(stage);
      const started = now();
      await stage.pushed("removed");
      stage.note("a new connection", await stage.ask());
      await stage.pushed("added again", a);
      stage.note("a new connection", await stage.ask());
      stage.note("the old connection", await open.endedWithin(started, drainTimeMs));
      await stage.untilDrained();
      stage.step("drained");
      stage.note("a new connection", await stage.ask());
      await stage.noteStats();
    },
  },
  {
    name: "address of a draining listener",
    async play(stage) {
      await stage.pushed("added", listener("a", stage.at("A")));
      const open = await busy(stage);
      await stage.pushed("another name, in one push", listener("b", stage.at("A")));
      stage.note("a new connection", await stage.ask());
      stage.note("the old connection", open.ending);
      await open.ended();
      await stage.untilDrained();
      stage.step("drained");
      stage.note("a new connection", await stage.ask());
      await stage.noteStats();
    },
  },
  {
    name: "address change",
    async play(stage) {
      await stage.pushed("added", listener("a", stage.at("A"), shortIdleGrace));
      const open = await busy(stage);
      await stage.pushed("moved", listener("a", stage.at("B"), shortIdleGrace));
      stage.note("the old address", await stage.ask("A"));
      stage.note("the new address", await stage.ask("B"));
      stage.note("the old connection", open.ending);
      await open.ended();
      await stage.untilDrained();
      stage.step("drained");
      await stage.noteStats();
      await stage.pushed("back", listener("a", stage.at("A"), shortIdleGrace));
      stage.note("the old address", await stage.ask("A"));
      stage.note("the new address", await stage.ask("B"));
    },
  },
  {
    name: "additional addresses",
    async play(stage) {
      const with_ = (port: "B" | "C") => ({
        additional_addresses: [{ address: addressOf(stage.at(port)) }],
      });
      await stage.pushed("added", listener("a", stage.at("A"), with_("B")));
      for (const port of ["A", "B", "C"] as const) stage.note(port, await stage.ask(port));
      const open = stage.connect("B");
      stage.note("a connection that stays", await open.ask());
      await stage.noteStats();
      await stage.pushed("the second one moved", listener("a", stage.at("A"), with_("C")));
      for (const port of ["A", "B", "C"] as const) stage.note(port, await stage.ask(port));
    },
  },
  {
    name: "static and dynamic",
    bootstrap: (places) => ({ listeners: [listener("static", places.at("A"))] }),
    async play(stage) {
      await stage.noteStats();
      stage.note("a request", await stage.ask());
      const usurper = { filter_chains: [httpChain("dynamic")] };
      await stage.pushed("a dynamic one of its name", listener("static", stage.at("B"), usurper));
      stage.note("a request", await stage.ask());
      stage.note("the other address", await stage.ask("B"));
      stage.note("errors", await stage.errors());
      await stage.pushed("no dynamic ones");
      stage.note("a request", await stage.ask());
      await stage.pushed("a dynamic one on its address", listener("other", stage.at("A")));
      stage.note("errors", await stage.errors());
    },
  },
  {
    name: "without a name",
    bootstrap: (places) => ({ listeners: [listener("", places.at("A"))] }),
    async play(stage) {
      stage.note("a request of the static one", await stage.ask());
      await stage.pushed("added", listener("", stage.at("B")));
      await stage.pushed("the same again", listener("", stage.at("B")));
      await stage.untilDrained();
      stage.step("another in its place");
      await stage.push(listener("", stage.at("C")));
      await stage.untilDrained();
      for (const port of ["A", "B", "C"] as const) stage.note(port, await stage.ask(port));
      stage.step("two at once");
      await stage.push(listener("", stage.at("B")), listener("", stage.at("C")));
      for (const port of ["A", "B", "C"] as const) stage.note(port, await stage.ask(port));
      stage.note("errors", await stage.errors());
      stage.step("none");
      await stage.push();
      await stage.untilDrained();
      for (const port of ["A", "B", "C"] as const) stage.note(port, await stage.ask(port));
    },
  },
];
