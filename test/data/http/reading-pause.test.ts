import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadingPause } from "../../../src/data/http/reading-pause.ts";

test("a body is read on when no reason stands any more, and each change is told once", () => {
  const told: boolean[] = [];
  const pause = new ReadingPause<"a" | "b">((on) => void told.push(on));
  pause.endAll();
  pause.begin("a");
  pause.begin("a");
  pause.begin("b");
  pause.end("a");
  assert.deepEqual(told, [false]);
  pause.end("b");
  assert.deepEqual(told, [false, true]);
  pause.begin("a");
  pause.forget("a");
  assert.deepEqual(told, [false, true, false]);
  pause.endAll();
  pause.begin("b");
  pause.endAll();
  pause.endAll();
  assert.deepEqual(told, [false, true, false, true, false, true]);
});
