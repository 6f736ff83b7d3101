import assert from "node:assert/strict";
import { test } from "node:test";
import { withDeadline } from "../../../src/control/cluster/dns-deadline.ts";
import type { DnsAnswer } from "../../../src/control/cluster/dns-resolver.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const found: DnsAnswer = { ok: true, addresses: ["127.0.0.1"], ttlMs: undefined };

test("withDeadline() passes an answer on and leaves no timer", async () => {
  const clock = new VirtualClock();
  const resolve = withDeadline(async () => found, clock, 1_000);
  assert.deepEqual(await resolve("a", "all", false), found);
  assert.equal(clock.pendingCount, 0);
});

test("withDeadline() gives up on a lookup that hangs, and does not begin another one beside it", async () => {
  const clock = new VirtualClock();
  const hanging: PromiseWithResolvers<DnsAnswer>[] = [];
  const resolve = withDeadline(
    () => {
      const lookup = Promise.withResolvers<DnsAnswer>();
      hanging.push(lookup);
      return lookup.promise;
    },
    clock,
    1_000,
  );
  const first = resolve("a", "all", false);
  await clock.advance(1_000);
  assert.deepEqual(await first, { ok: false, error: "no answer within 1 s" });
  const second = resolve("a", "all", false);
  assert.equal(hanging.length, 1, "the name is asked for once");
  hanging[0]?.resolve(found);
  assert.deepEqual(await second, found);
  await clock.advance(0);
  void resolve("a", "all", false);
  assert.equal(hanging.length, 2, "and again when it has come");
});
