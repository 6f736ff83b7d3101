import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { suite, test, type TestContext } from "node:test";
import {
  adminProbe,
  answersFor,
  awaitProbe,
  startedAt,
} from "../../../src/cli/restarter/readiness.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

suite("awaitProbe()", () => {
  test("asks until the answer is yes", async () => {
    const clock = new VirtualClock();
    const answers = [false, false, true];
    const results: boolean[] = [];
    const probe = async (): Promise<boolean> => answers.shift() ?? assert.fail("asked on");
    awaitProbe(clock, { probe, timeoutMs: 60_000 }, (isReady) => results.push(isReady));
    await clock.advance(60_000);
    assert.deepEqual(results, [true]);
    assert.equal(clock.pendingCount, 0);
  });

  test("gives up in time", async () => {
    const clock = new VirtualClock();
    const results: boolean[] = [];
    const probe = async (): Promise<boolean> => false;
    awaitProbe(clock, { probe, timeoutMs: 1000 }, (isReady) => results.push(isReady));
    await clock.advance(900);
    assert.deepEqual(results, []);
    await clock.advance(200);
    assert.deepEqual(results, [false]);
    assert.equal(clock.pendingCount, 0);
  });

  test("says nothing once it is not wanted, an answer under way included", async () => {
    const clock = new VirtualClock();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiting = awaitProbe(clock, { probe: () => promise, timeoutMs: 1000 }, () =>
      assert.fail("not wanted"),
    );
    await clock.advance(100);
    waiting[Symbol.dispose]();
    resolve(true);
    await clock.advance(60_000);
    assert.equal(clock.pendingCount, 0);
  });
});

suite("adminProbe()", () => {
  async function admin(t: TestContext, info: object): Promise<string> {
    const server: Server = createServer((_, response) => response.end(JSON.stringify(info)));
    t.after(() => server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test("takes LIVE of the right epoch alone, for the parent answers at first", async (t) => {
    const text = await admin(t, { state: "LIVE", command_line_options: { restart_epoch: 1 } });
    assert.equal(await adminProbe({ kind: "address", text }, answersFor(1))(), true);
    assert.equal(await adminProbe({ kind: "address", text }, answersFor(2))(), false);
  });

  test("takes no process that is older than the start, where epochs are not told", async (t) => {
    const text = await admin(t, { state: "LIVE", uptime_current_epoch: "5s" });
    const clock = new VirtualClock();
    const probe = adminProbe({ kind: "address", text }, startedAt(clock, clock.now()));
    await clock.advance(4900);
    assert.equal(await probe(), false);
    await clock.advance(200);
    assert.equal(await probe(), true);
  });

  test("does not take what still initializes; no epoch is epoch 0", async (t) => {
    const early = await admin(t, { state: "INITIALIZING", command_line_options: {} });
    assert.equal(await adminProbe({ kind: "address", text: early }, answersFor(0))(), false);
    const live = await admin(t, { state: "LIVE", command_line_options: {} });
    assert.equal(await adminProbe({ kind: "address", text: live }, answersFor(0))(), true);
  });

  test("reads the address from a file that may not be there yet", async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-readiness-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const text = path.join(folder, "admin");
    const probe = adminProbe({ kind: "file", text }, answersFor(0));
    assert.equal(await probe(), false);
    writeFileSync(text, `${await admin(t, { state: "LIVE" })}\n`);
    assert.equal(await probe(), true);
  });
});
