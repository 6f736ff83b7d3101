import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRestarterOptions } from "../../../src/cli/restarter/restarter-options.ts";

test("what comes after -- is the command, flags of its own included", () => {
  const options = parseRestarterOptions(["--settle-s", "0.5", "--", "run", "--help", "--", "x"]);
  assert.deepEqual(options?.command, ["run", "--help", "--", "x"]);
  assert.equal(options?.settleMs, 500);
});

test("without flags it restarts what crashes, and keeps Envoy's 30 seconds at the end", () => {
  const { command: _, ...options } = parseRestarterOptions(["--", "run"]) ?? {};
  assert.deepEqual(options, {
    validateCommand: undefined,
    validates: true,
    validateTimeoutMs: 60_000,
    admin: undefined,
    startTimeoutMs: 300_000,
    settleMs: 1000,
    retireAfterMs: undefined,
    onCrash: "restart",
    crashesMax: 10,
    generationsMax: 3,
    termTimeoutMs: 30_000,
  });
});

test("help is no command", () => {
  assert.equal(parseRestarterOptions(["--help"]), undefined);
});

test("what is wrong is said, with what would be right", () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /no command: sluice restarter -- COMMAND ARGS/],
    [["--"], /no command/],
    [["run", "--"], /'run' comes before --/],
    [["--fast", "--", "run"], /Unknown option '--fast'; see/],
    [["--settle-s", "soon", "--", "run"], /--settle-s 'soon': want seconds/],
    [["--term-timeout-s", "999999999", "--", "run"], /want seconds, 0 to 604800/],
    [["--generations-max", "1", "--", "run"], /--generations-max '1': want a number, 2 to 999/],
    [["--on-crash", "cry", "--", "run"], /--on-crash 'cry': want restart or exit/],
    [["--no-validate", "--validate-command", "x", "--", "run"], /choose one/],
  ];
  for (const [args, message] of wrong)
    assert.throws(() => parseRestarterOptions(args), { message }, args.join(" "));
});
