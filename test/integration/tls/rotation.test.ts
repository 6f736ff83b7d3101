/** Certificates rotated under handshake load, in small; `npm run rotation` is the long one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RotationStage } from "../../support/rotation-stage.ts";

test("no handshake fails, and none that begins after a rotation is served by what was before", async () => {
  await using stage = await RotationStage.start(40, ["--concurrency", "2"]);
  await stage.load(8);
  for (let rotation = 0; rotation < 4; rotation++) {
    await stage.pass(60);
    await stage.rotate();
  }
  await stage.pass(60);
  const { failures, stale, handshakes } = await stage.stop();
  assert.deepEqual(failures, []);
  assert.equal(stale, 0);
  assert(handshakes >= 300);
});
