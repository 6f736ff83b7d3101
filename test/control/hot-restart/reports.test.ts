/** What an old process tells of itself arrives whole, whatever its size, and ends with it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  MessageReader,
  encodeMessage,
} from "../../../src/control/hot-restart/handover/messages.ts";
import { ElderListener } from "../../../src/control/hot-restart/reports/elder-listener.ts";
import { ElderReports } from "../../../src/control/hot-restart/reports/elder-reports.ts";
import type {
  ReportMessage,
  ToldDrains,
  ToldStats,
} from "../../../src/control/hot-restart/reports/report-messages.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const about = { connections: 3, generation: 2, startedS: 5 };

/** Reports over the frames of the wire, to a listener. */
class Line {
  readonly clock = new VirtualClock();
  readonly stats: ToldStats[] = [];
  readonly drains: (readonly ToldDrains[])[] = [];
  onChange = (): void => {};
  current: ToldStats = { counterDeltas: {}, gauges: {}, ...about };
  told: readonly ToldDrains[] = [];
  readonly reports: ElderReports;

  constructor(current: Partial<ToldStats> = {}) {
    this.current = { ...this.current, ...current };
    const reader = new MessageReader();
    const listener = new ElderListener({
      onDrains: (generations) => this.drains.push(generations),
      onStats: (stats) => this.stats.push(stats),
      onEmpty: () => {},
      onGone: () => {},
    });
    const tell = (message: ReportMessage): Promise<void> => {
      const read = reader.read(encodeMessage(message));
      assert(read.ok, "it fits into a frame");
      for (const each of read.messages) listener.hear(each as ReportMessage);
      return Promise.resolve();
    };
    this.reports = new ElderReports({
      sibling: { tell, isLost: false },
      clock: this.clock,
      drains: () => this.told,
      subscribe: (onChange) => {
        this.onChange = onChange;
        return { [Symbol.dispose]: () => (this.onChange = () => {}) };
      },
      stats: () => this.current,
    });
  }
}

test("stats arrive as they are, whatever their number and their names", async () => {
  const numbers = fc.dictionary(
    fc.string({ maxLength: 300, unit: "binary" }).filter((name) => name !== "__proto__"),
    fc.nat(),
    { maxKeys: 300, noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(numbers, numbers, async (counterDeltas, gauges) => {
      const line = new Line({ counterDeltas, gauges });
      await line.clock.advance(0);
      assert.deepEqual(line.stats, [{ counterDeltas, gauges, ...about }]);
      line.reports[Symbol.dispose]();
    }),
    { numRuns: 30 },
  );
});

test("ten thousand stats come in parts, and together", async () => {
  const counterDeltas = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, i) => [`listener.127.0.0.1_${i}.downstream_cx_total`, i]),
  );
  const line = new Line({ counterDeltas });
  await line.clock.advance(100);
  assert.deepEqual(line.stats, [{ counterDeltas, gauges: {}, ...about }]);
  line.reports[Symbol.dispose]();
});

test("stats are told every second, drains when they change, and both at the end", async () => {
  const line = new Line();
  await line.clock.advance(0);
  assert.deepEqual([line.stats.length, line.drains.length], [1, 1]);
  await line.clock.advance(1_000);
  assert.deepEqual([line.stats.length, line.drains.length], [2, 1]);
  for (let i = 0; i < 5; i++) line.onChange();
  await line.clock.advance(300);
  assert.deepEqual([line.stats.length, line.drains.length], [2, 2]);
  await line.reports.finish();
  assert.deepEqual([line.stats.length, line.drains.length], [3, 3]);
  assert.equal(line.clock.pendingCount, 0);
});

test("of drains as many are told as one message holds", async () => {
  const drains = Array.from({ length: 100 }, (_, id) => ({ id, text: "x".repeat(5_000) }));
  const line = new Line();
  line.told = [{ generation: 1, drains }];
  line.onChange();
  await line.clock.advance(300);
  const [told] = line.drains.at(-1) ?? [];
  assert.equal(told?.generation, 1);
  assert.deepEqual(told.drains, drains.slice(0, 11));
  line.reports[Symbol.dispose]();
});

test("what is no report is refused with a reason", () => {
  for (const [value, reason] of [
    [{ kind: "drains" }, /generations/],
    [{ kind: "drains", generations: [{ generation: -1, drains: [] }] }, /generations/],
    [{ kind: "stats", counterDeltas: { a: "1" }, gauges: {} }, /stats/],
    [{ kind: "stats", counterDeltas: {}, gauges: {}, connections: 1.5 }, /stats/],
  ] as const) {
    const read = new MessageReader().read(encodeMessage(value as unknown as ReportMessage));
    assert(!read.ok);
    assert.match(read.reason, reason);
  }
});
