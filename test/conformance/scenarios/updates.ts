/** A listener comes, changes and goes: which counters move, and what open connections notice. */
import { httpChain, listener, shortIdleGrace, silentRds } from "../resources.ts";
import { drainTimeMs, immediate, now, type Scenario } from "../scenario.ts";

/** Something outside the filter chains: a full update. */
const changed = { per_connection_buffer_limit_bytes: 65_536 };

export const updates: readonly Scenario[] = [
  {
    name: "add",
    flags: ["--concurrency", "2"],
    async play(stage) {
      const a = listener("a", stage.at("A"));
      await stage.pushed("the first", a);
      stage.note("a request", await stage.ask());
      await stage.pushed("a second", a, listener("b", stage.at("B")));
      stage.note("a request of the first", await stage.ask("A"));
      stage.note("a request of the second", await stage.ask("B"));
      stage.step("names of statistics");
      await stage.noteStatNames();
      await stage.pushed("the same again", a, listener("b", stage.at("B")));
    },
  },
  {
    name: "update in full",
    flags: immediate,
    async play(stage) {
      await stage.pushed("added", listener("a", stage.at("A"), shortIdleGrace));
      const busy = stage.connect();
      const idle = stage.connect();
      stage.note("busy", await busy.ask());
      stage.note("idle", await idle.ask());
      await stage.noteStats();
      const started = now();
      const chains = { filter_chains: [httpChain("new")] };
      stage.step("updated");
      await stage.push(listener("a", stage.at("A"), { ...shortIdleGrace, ...changed, ...chains }));
      await stage.untilStat("listener_manager.total_listeners_draining", 1);
      stage.note("busy", await busy.ask());
      stage.note("a new connection", await stage.ask());
      await busy.ended();
      stage.note("busy, at last", busy.ending);
      stage.note("idle, at last", await idle.endedWithin(started, drainTimeMs));
      await stage.untilDrained();
      stage.step("drained");
      stage.note("a new connection", await stage.ask());
      await stage.noteStats();
    },
  },
  {
    name: "update of filter chains",
    flags: immediate,
    async play(stage) {
      const local = { source_prefix_ranges: [{ address_prefix: "127.0.0.1", prefix_len: 32 }] };
      const chains = (first: string, second: string) => ({
        filter_chains: [
          httpChain(first, { match: local }),
          httpChain(second, {
            match: {
              ...local,
              source_prefix_ranges: [{ address_prefix: "127.0.0.2", prefix_len: 32 }],
            },
          }),
        ],
      });
      await stage.pushed("added", listener("a", stage.at("A"), chains("one", "two")));
      const one = stage.connect("A", "127.0.0.1");
      const two = stage.connect("A", "127.0.0.2");
      stage.note("of the chain that will stay", await one.ask());
      stage.note("of the chain that will change", await two.ask());
      stage.step("updated");
      await stage.push(listener("a", stage.at("A"), chains("one", "three")));
      await stage.untilStat("listener_manager.total_filter_chains_draining", 1);
      stage.note("of the chain that stays", await one.ask());
      stage.note("of the chain that changed", await two.ask());
      await two.ended();
      stage.note("of the chain that changed, at last", two.ending);
      await stage.untilDrained();
      stage.step("drained");
      stage.note("of the chain that stays", await one.ask());
      await stage.noteStats();
    },
  },
  {
    name: "remove",
    async play(stage) {
      await stage.pushed("added", listener("a", stage.at("A"), shortIdleGrace));
      const idle = stage.connect();
      stage.note("idle", await idle.ask());
      const slow = stage.connect();
      const held = stage.upstream.hold();
      const answer = slow.ask("/slow");
      await held.arrived;
      await stage.noteStats();
      const started = now();
      await stage.pushed("removed");
      stage.note("a new connection", await stage.ask());
      stage.note("the request under way", await answer);
      stage.note("its connection", await slow.endedWithin(started, drainTimeMs));
      await idle.ended();
      stage.note("an idle one", idle.ending);
      held.release();
      await stage.untilDrained();
      stage.step("drained");
      await stage.noteStats();
    },
  },
  {
    name: "revert while warming",
    hasSilentServer: true,
    async play(stage) {
      const a = listener("a", stage.at("A"));
      await stage.pushed("added", a);
      const warming = listener("a", stage.at("A"), {
        filter_chains: [httpChain("never", { manager: silentRds })],
        ...changed,
      });
      await stage.pushed("updated, and waiting for routes", warming);
      stage.note("a request", await stage.ask());
      await stage.noteStats();
      await stage.pushed("reverted", a);
      stage.note("a request", await stage.ask());
      await stage.pushed("warming again", warming);
      await stage.pushed("removed while warming");
      stage.note("a request", await stage.ask());
    },
  },
];
