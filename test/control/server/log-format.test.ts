import assert from "node:assert/strict";
import { test } from "node:test";
import { compileLogFormat } from "../../../src/control/server/log-format.ts";
import { logFormatDefault } from "../../../src/control/server/options.ts";
import type { LogRecord } from "../../../src/shared/common/log.ts";

const time = new Date(2026, 0, 2, 3, 4, 5, 6);
const record: LogRecord = {
  level: "warning",
  component: "upstream",
  message: 'a "b"\n100%v',
  timeMs: time.getTime(),
  thread: "1",
};

test("compileLogFormat() prints the default as Envoy does", () => {
  const line = compileLogFormat(logFormatDefault, false)({ ...record, message: "hello" });
  assert.equal(line, "[2026-01-02 03:04:05.006][1][warning][upstream] hello\n");
});

test("compileLogFormat() knows the flags, and prints what it does not know", () => {
  const table: readonly (readonly [string, string])[] = [
    ["%Y%m%d%H%M%S", "20260102030405"],
    ["%D %X %f %F", "01/02/26 03:04:05 006000 006000000"],
    ["%E", String(Math.floor(time.getTime() / 1000))],
    ["%L%%%^%$", "W%"],
    ["[%g:%#]", "[-:-]"],
    ["%_", String.raw`a "b"\n100%v`],
    ["%j", String.raw`a \"b\"\n100%v`],
    ["%Q %", "%Q %"],
    ["%v", 'a "b"\n100%v'],
  ];
  for (const [format, expected] of table)
    assert.equal(compileLogFormat(format, false)(record), `${expected}\n`, format);
});

test("compileLogFormat() escapes line ends in every message where it is told to", () => {
  assert.equal(compileLogFormat("%v", true)(record), `${String.raw`a "b"\n100%v`}\n`);
});
