import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { LogSink } from "../../../src/control/server/log-sink.ts";
import type { LogRecord } from "../../../src/shared/common/log.ts";

const record = (message: string): LogRecord => ({
  level: "info",
  component: "main",
  message,
  timeMs: 0,
  thread: "main",
});

test("reopen() goes on in a new file after a rotation, and no line is lost", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "log");
  using sink = new LogSink(({ message }) => `${message}\n`, file);
  sink.write(record("one"));
  renameSync(file, `${file}.1`);
  sink.write(record("two"));
  sink.reopen();
  sink.write(record("three"));
  assert.equal(readFileSync(`${file}.1`, "utf8"), "one\ntwo\n");
  assert.equal(readFileSync(file, "utf8"), "three\n");
  assert.equal(sink.droppedCount, 0);
});

test("a path that cannot be opened is an error at once", () => {
  assert.throws(() => new LogSink(() => "", "/nowhere/at/all"), /ENOENT/);
});

test("a line that cannot be formatted or written is counted, not thrown", () => {
  using sink = new LogSink(() => {
    throw new Error("full");
  }, "");
  sink.write(record("lost"));
  assert.equal(sink.droppedCount, 1);
});
