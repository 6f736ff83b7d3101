import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { LogSink, sinkBytesMax } from "../../../../src/data/http/access-log/log-sink.ts";
import { until } from "../../../support/until.ts";
import { VirtualClock } from "../../../support/virtual-clock.ts";

const flushIntervalMs = 10_000;

function harness() {
  const folder = mkdtempSync(path.join(tmpdir(), "log-sink-"));
  const file = path.join(folder, "log");
  const clock = new VirtualClock();
  const dropped = { lines: 0 };
  const errors: string[] = [];
  const sink = new LogSink(
    { kind: "file", path: file },
    {
      clock,
      flushIntervalMs,
      flushMinBytes: 100,
      onDropped: (lines) => (dropped.lines += lines),
      onError: (message) => errors.push(message),
    },
  );
  const content = (name = file): string => {
    try {
      return readFileSync(name, "latin1");
    } catch {
      return "";
    }
  };
  return {
    file,
    sink,
    clock,
    dropped,
    errors,
    content,
    async until(text: string, name = file): Promise<void> {
      await until(() => content(name) === text, `${name} holds ${text.length} bytes`);
    },
    [Symbol.dispose]: () => {
      sink[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

test("lines are written after the interval, or at once from a size on", async () => {
  using log = harness();
  log.sink.append("one\n");
  await log.clock.advance(flushIntervalMs - 1);
  assert.equal(log.content(), "");
  await log.clock.advance(1);
  await log.until("one\n");
  log.sink.append(`${"x".repeat(120)}\n`);
  await log.until(`one\n${"x".repeat(120)}\n`);
});

test("reopen() follows a rotated file, and loses nothing", async () => {
  using log = harness();
  log.sink.append("before\n");
  log.sink.flush();
  await log.until("before\n");
  renameSync(log.file, `${log.file}.1`);
  log.sink.reopen();
  log.sink.append("after\n");
  log.sink.flush();
  await log.until("after\n");
  assert.equal(log.content(`${log.file}.1`), "before\n");
});

test("a flush that is asked for during a write follows it, without waiting for the interval", async () => {
  using log = harness();
  log.sink.append("one\n");
  log.sink.flush();
  await log.until("one\n");
  log.sink.append("two\n");
  log.sink.flush();
  // The write of `two` has begun; libuv answers in a later turn.
  log.sink.append("three\n");
  log.sink.flush();
  await log.until("one\ntwo\nthree\n");
});

test("a full buffer drops lines and counts them; memory is bounded", () => {
  using log = harness();
  const line = "x".repeat(1024 * 1024);
  for (let i = 0; i < 40; i++) log.sink.append(line);
  assert.equal(log.dropped.lines, 40 - Math.floor(sinkBytesMax / line.length));
});

test("a path that cannot be opened is reported, and its lines are counted as dropped", async () => {
  using log = harness();
  const sink = new LogSink(
    { kind: "file", path: path.join(log.file, "nowhere") },
    {
      clock: log.clock,
      flushIntervalMs,
      flushMinBytes: 1,
      onDropped: (lines) => (log.dropped.lines += lines),
      onError: (message) => log.errors.push(message),
    },
  );
  sink.append("lost\n");
  await until(() => log.errors.length > 0, "the error is told");
  assert.equal(log.dropped.lines, 1);
  assert.match(log.errors[0] ?? "", /ENOENT/);
});
