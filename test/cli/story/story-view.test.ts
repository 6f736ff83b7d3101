import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStoryOptions } from "../../../src/cli/story/story-options.ts";
import { picture } from "../../../src/cli/story/story-view.ts";
import { openScreen, truncated } from "../../../src/cli/story/terminal-screen.ts";
import { stripVTControlCharacters } from "node:util";

const lane = {
  name: "shop",
  port: 1,
  made: 120,
  failed: 0,
  inFlight: 2,
  isStopped: false,
  lastError: "",
  perSecond: 80,
};

test("the picture shows listeners with their state, and each drain counting down", () => {
  const lines = picture({
    step: "5. remove a listener",
    elapsedS: 12.3,
    active: ["shop"],
    drains: [
      {
        id: 1,
        cause: "removed",
        listener: "downloads",
        state: "draining",
        deadline: "2026-01-01T00:00:10.000Z",
        connections: { at_start: 8, remaining: 4 },
      },
      {
        id: 0,
        cause: "updated",
        listener: "old",
        state: "complete",
        deadline: "2026-01-01T00:00:00.000Z",
        connections: { at_start: 1, remaining: 0 },
      },
    ],
    lanes: [lane, { ...lane, name: "gone", failed: 3 }],
    nowMs: Date.parse("2026-01-01T00:00:06.500Z"),
    adminAddress: "127.0.0.1:1",
  }).map(stripVTControlCharacters);
  const text = lines.join("\n");
  assert.match(text, /240 requests, 3 failed/);
  assert.match(text, /shop +active +80 +0 +2\n/);
  assert.match(text, /downloads {3}draining/);
  assert.match(text, /gone {8}absent/);
  assert.match(text, /downloads {3}█{10}░{10} 4 of 8 connections left, 3.5 s to go \(removed\)/);
  assert(!/old/.test(text), "a drain that ended is no longer drawn");
});

test("without a terminal there are plain lines only", () => {
  let written = "";
  using screen = openScreen({ write: (text) => (written += text) });
  screen.show(["picture"]);
  screen.say("line");
  assert.equal(written, "line\n");
});

test("at a terminal the picture is redrawn below the lines", () => {
  let written = "";
  const screen = openScreen({ write: (text) => (written += text), isTTY: true, columns: 10 });
  screen.show(["one", "two"]);
  written = "";
  screen.say("line");
  assert.equal(written, "\u001B[2A\r\u001B[Jline\none\ntwo\n");
});

test("cutting a line counts what is seen, not colours", () => {
  assert.equal(truncated("\u001B[1mabcdef\u001B[0mg", 4), "\u001B[1mabcd\u001B[0m");
});

test("flags that make no sense are refused with the usage", () => {
  const defaults = { proxy: "sluice", example: "story" };
  const value = {
    ...defaults,
    isOnce: true,
    isQuiet: false,
    controlPlane: "embedded",
    drainTimeS: 10,
  };
  assert.deepEqual(parseStoryOptions(["--once"], defaults), { ok: true, value });
  for (const args of [
    ["--bogus"],
    ["--control-plane=x"],
    ["--drain-time-s=0"],
    ["--help"],
    ["word"],
  ]) {
    const parsed = parseStoryOptions(args, defaults);
    assert(!parsed.ok && parsed.message.includes("npm start"), args.join(" "));
  }
});
