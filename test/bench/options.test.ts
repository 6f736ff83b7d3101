import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "../../bench/options.ts";

test("parseOptions() measures five rounds of two seconds, unless told otherwise", () => {
  assert.deepEqual(parseOptions(["tcp"]), {
    suite: "tcp",
    rounds: 5,
    seconds: 2,
    only: [],
    isJson: false,
    isQuick: false,
  });
  const asked = parseOptions([
    "http1",
    "--quick",
    "--rounds",
    "2",
    "--only",
    "envoy,get",
    "--json",
  ]);
  assert.deepEqual(asked, {
    suite: "http1",
    rounds: 2,
    seconds: 0.5,
    only: ["envoy", "get"],
    isJson: true,
    isQuick: true,
  });
});

test("parseOptions() refuses what makes no sense", () => {
  assert.throws(() => parseOptions([]), /name one suite/);
  assert.throws(() => parseOptions(["http3"]), /name one suite/);
  assert.throws(() => parseOptions(["tcp", "--rounds", "none"]), /--rounds wants a number/);
  assert.throws(() => parseOptions(["tcp", "--fast"]), /--fast/);
});
