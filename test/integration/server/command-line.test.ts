import assert from "node:assert/strict";
import { test } from "node:test";
import { SluiceProgram } from "../../support/sluice-program.ts";

async function outcome(...args: string[]) {
  await using program = new SluiceProgram(args);
  const code = await program.exit;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

test("--version and --help go to standard output with code 0", async () => {
  const version = await outcome("--version");
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^sluice {2}version: sluice\/[\d.]+\/Clean\/RELEASE\/Node-24/);
  const help = await outcome("--help");
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--config-path/);
  assert.equal(help.stderr, "");
});

test("bad usage is one message without a stack, and code 1", async () => {
  const table: readonly (readonly [string[], RegExp])[] = [
    [["--bogus"], /--bogus -- Couldn't find match for argument/],
    [["-c"], /Missing a value/],
    [["--mode", "dance"], /unknown mode 'dance'/],
    [["--socket-mode", "9", "-c", "x"], /invalid socket-mode '9'/],
    [[], /At least one of --config-path or --config-yaml should be non-empty/],
    [["-c", "not-there.yaml"], /error initializing configuration 'not-there.yaml': Invalid path/],
    [["-c", "x", "--log-path", "/nowhere/log"], /cannot open --log-path/],
  ];
  for (const [args, message] of table) {
    const { code, stdout, stderr } = await outcome(...args);
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^\s+at /m);
    assert.equal(stdout, "");
  }
});

test("flags without meaning are ignored with one line that names them", async () => {
  const flags = ["--cpuset-threads", "--enable-core-dump", "--base-id", "7"];
  const { code, stderr } = await outcome("--mode", "validate", "-c", "none", ...flags);
  assert.equal(code, 1);
  const lines = stderr.split("\n").filter((line) => line.includes("ignored flags"));
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? "",
    /--enable-core-dump .*--cpuset-threads|--cpuset-threads .*--enable-core-dump/,
  );
});
