import assert from "node:assert/strict";
import { test } from "node:test";
import { drainWatchersMax, feedIntervalMs } from "../../../src/control/admin/drain-feed.ts";
import { streamDrains, waitForDrains } from "../../../src/control/admin/drain-watch.ts";
import type { AdminResponse } from "../../../src/control/admin/endpoint.ts";
import type { DrainView } from "../../../src/control/listener/drain-view.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

function world() {
  const clock = new VirtualClock();
  const drains = new Map<number, DrainView["state"]>();
  const watchers = new Set<() => void>();
  const desk = {
    list: () => ({ drains: [...drains].map(([id, state]) => ({ id, state }) as DrainView) }),
    subscribe(onChange: () => void) {
      watchers.add(onChange);
      return { [Symbol.dispose]: () => void watchers.delete(onChange) };
    },
    get watchers() {
      return watchers.size;
    },
  };
  const source = { desk, clock };
  const set = (id: number, state: DrainView["state"]): void => {
    drains.set(id, state);
    for (const watcher of watchers) watcher();
  };
  const client = (response: AdminResponse) => {
    const written: string[] = [];
    const body = {
      isSlow: false,
      isEnded: false,
      written,
      write: (text: string) => void written.push(text),
      end(text = "") {
        body.isEnded = true;
        written.push(text);
      },
      gone: () => {},
    };
    const continued = response.continues?.(body);
    return Object.assign(body, { gone: () => continued?.[Symbol.dispose]() });
  };
  return { clock, source, set, watchers, client };
}

test("a wait ends when all that were under way have ended, whatever began since", () => {
  const { source, set, watchers, client } = world();
  set(1, "draining");
  set(2, "draining");
  const waiting = client(waitForDrains(source, "30"));
  set(1, "complete");
  set(3, "draining");
  assert.equal(waiting.isEnded, false);
  set(2, "forced");
  assert.equal(waiting.isEnded, true);
  assert.match(waiting.written.join(""), /"state": "forced"/);
  assert.equal(watchers.size, 0);
});

test("a wait ends at its time, and at once when nothing drains; nonsense is refused", async () => {
  const { clock, source, set, watchers, client } = world();
  assert.match(waitForDrains(source, "").body, /"drains": \[\]/);
  set(1, "draining");
  assert.match(waitForDrains(source, "0").body, /"state": "draining"/);
  const waiting = client(waitForDrains(source, "2"));
  await clock.advance(1_999);
  assert.equal(waiting.isEnded, false);
  await clock.advance(1);
  assert.match(waiting.written.join(""), /"state": "draining"/);
  assert.equal(watchers.size, 0);
  for (const text of ["-1", "x", "3601"]) assert.equal(waitForDrains(source, text).status, 400);
});

test("a stream tells what is under way, then changes four times a second at most, ends once", async () => {
  const { clock, source, set, client } = world();
  set(1, "complete");
  set(2, "draining");
  const { written } = client(streamDrains(source));
  const told = () =>
    written.splice(0).map((event) => {
      assert.match(event, /^data: .*\n\n$/);
      const { drains } = JSON.parse(event.slice(6)) as { drains: readonly DrainView[] };
      return drains.map(({ id, state }) => `${id} ${state}`);
    });
  assert.deepEqual(told(), [["2 draining"]]);
  for (let count = 0; count < 5; count++) set(3, "draining");
  assert.deepEqual(told(), []);
  await clock.advance(feedIntervalMs);
  assert.deepEqual(told(), [["2 draining", "3 draining"]]);
  set(2, "complete");
  await clock.advance(feedIntervalMs);
  set(3, "draining");
  await clock.advance(feedIntervalMs);
  assert.deepEqual(told(), [["2 complete", "3 draining"], ["3 draining"]]);
});

test("to a client that does not read nothing is queued; one that went away is forgotten", async () => {
  const { clock, source, set, watchers, client } = world();
  set(1, "draining");
  const slow = client(streamDrains(source));
  slow.isSlow = true;
  for (let count = 0; count < 8; count++) {
    set(1, "draining");
    await clock.advance(feedIntervalMs);
  }
  assert.equal(slow.written.length, 1);
  slow.isSlow = false;
  await clock.advance(feedIntervalMs);
  assert.equal(slow.written.length, 2);
  slow.gone();
  assert.equal(watchers.size, 0);
});

test("there are so many watchers and no more", () => {
  const { source, set, client } = world();
  set(1, "draining");
  for (let count = 0; count < drainWatchersMax; count++) client(streamDrains(source));
  assert.equal(streamDrains(source).status, 503);
  assert.equal(waitForDrains(source, "1").status, 503);
});
