/**
 * Restarts under every kind of client at once; `npm run bench -- restart` is the same for 25 of them, beside other proxies.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { GenerationStage } from "../../support/generation-stage.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 120_000 };
const size = { kept: 8, short: 2, http2: { connections: 1, streams: 4 }, gapMs: 5 };

for (const how of ["epochs", "a directory"]) {
  test(`two restarts by ${how} fail no client of any kind`, onLinux, async () => {
    await using stage = await GenerationStage.start();
    const handoverDir = how === "epochs" ? undefined : path.join(stage.folder, "handover");
    const place = { handoverDir, endsAfterS: 3 };
    let last = stage.launch(0, place);
    await stage.serves(last, 0);
    const load = stage.wholeLoad(size);
    for (const number of [1, 2]) {
      const before = load.progress;
      await until(() => load.progress > before + 50, "load is on");
      const next = stage.launch(number, place);
      await stage.serves(next, number);
      assert.deepEqual(await last.exit, [0, null], last.log);
      last = next;
    }
    const { kept, short, http2, stream, webSocket } = await load.stop();
    assert.deepEqual({ kept, short, http2 }, { kept: {}, short: {}, http2: {} });
    const unbroken = { cuts: 0, wrong: 0 };
    assert.deepEqual({ stream, webSocket }, { stream: unbroken, webSocket: unbroken });
  });
}
