import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { flagTable } from "../../../src/control/server/flag-table.ts";
import { type ServerOptions, parseOptions } from "../../../src/control/server/options.ts";

function run(...args: string[]): ServerOptions {
  const parsed = parseOptions(args, 3);
  assert(parsed.kind === "run", JSON.stringify(parsed));
  return parsed.options;
}

test("parseOptions() has Envoy's defaults", () => {
  const options = run("-c", "x.yaml");
  assert.equal(options.configPath, "x.yaml");
  assert.equal(options.mode, "serve");
  assert.equal(options.concurrency, 3);
  assert.equal(options.drainTimeMs, 600_000);
  assert.equal(options.drainStrategy, "gradual");
  assert.equal(options.shutdownDrainMs, 8_000);
  assert.equal(options.parentShutdownTimeMs, 900_000);
  assert.equal(options.logLevel, "info");
  assert.equal(options.localAddressIpVersion, "v4");
  assert.equal(options.fileFlushIntervalMs, 10_000);
  assert.deepEqual(options.ignoredFlags, []);
});

test("parseOptions() reads each flag into its field", () => {
  const table: readonly (readonly [string[], Partial<ServerOptions>])[] = [
    [["--config-path", "a"], { configPath: "a" }],
    [["--config-path=a=b"], { configPath: "a=b" }],
    [["--config-yaml", "{}"], { configYaml: "{}" }],
    [["--mode", "validate"], { mode: "validate" }],
    [["--mode", "init_only"], { mode: "init_only" }],
    [["--concurrency", "0"], { concurrency: 1 }],
    [["--concurrency", "7"], { concurrency: 7 }],
    [["--concurrency", "70000"], { concurrency: 256 }],
    [["--restart-epoch", "0"], {}],
    [["--drain-time-s", "5"], { drainTimeMs: 5000 }],
    [["--drain-strategy", "immediate"], { drainStrategy: "immediate" }],
    [["--shutdown-drain-s", "0"], { shutdownDrainMs: 0 }],
    [["-l", "warn"], { logLevel: "warning" }],
    [["--log-level", "off"], { logLevel: "off" }],
    [["--log-path", "/x"], { logPath: "/x" }],
    [["--file-flush-min-size-kb", "2"], { fileFlushMinBytes: 2048 }],
    [["--allow-unknown-fields"], { allowUnknownStaticFields: true }],
    [["--admin-allowed-host", "a", "--admin-allowed-host", "b"], { adminAllowedHosts: ["a", "b"] }],
    [["--admin-grpc-address", "a:1"], { adminGrpcAddress: "a:1" }],
    [["--service-node", "n", "--", "--nonsense"], { serviceNode: "n" }],
  ];
  for (const [args, expected] of table) {
    const options = run(...args);
    for (const [name, value] of Object.entries(expected))
      assert.deepEqual(options[name as keyof ServerOptions], value, args.join(" "));
  }
  const levels = run("--component-log-level", "upstream:debug,config:trace").componentLogLevels;
  assert.deepEqual(
    [...levels],
    [
      ["upstream", "debug"],
      ["config", "trace"],
    ],
  );
});

test("parseOptions() refuses bad usage with one message and code 1", () => {
  const table: readonly (readonly [string[], RegExp])[] = [
    [["--bogus"], /^error: --bogus -- Couldn't find match for argument\n/],
    [["extra"], /^error: extra -- Couldn't find match for argument\n/],
    [["-c"], /^error: -c \(--config-path\) -- Missing a value for this argument!\n/],
    [["--concurrency", "x"], /\(--concurrency\) -- Couldn't read argument value from string 'x'/],
    [["--concurrency", "-1"], /Couldn't read argument value/],
    [["--drain-time-s", "4294967296"], /Couldn't read argument value/],
    [["--mode", "foo"], /unknown mode 'foo'/],
    [["--drain-strategy", "x"], /unknown drain-strategy 'x'/],
    [["-l", "bad"], /invalid log level specified 'bad'/],
    [["--component-log-level", "upstream"], /not correctly specified 'upstream'/],
    [["--component-log-level", "nope:info"], /invalid component specified 'nope'/],
    [["-c", "a", "--config-path", "b"], /already set/],
    [["--version=1"], /takes no value/],
    [["--socket-mode", "99"], /invalid socket-mode '99'/],
    [["--restart-epoch", "1", "--use-dynamic-base-id"], /cannot use --restart-epoch/],
  ];
  for (const [args, message] of table) {
    const parsed = parseOptions(args, 1);
    assert(parsed.kind === "exit" && parsed.code === 1, args.join(" "));
    assert.match(parsed.text, message);
  }
});

test("parseOptions() answers --help with every flag and --version in Envoy's form", () => {
  const help = parseOptions(["--help"], 1);
  assert(help.kind === "exit" && help.code === 0);
  for (const flag of flagTable) assert(help.text.includes(`--${flag.name}`));
  const version = parseOptions(["--version"], 1);
  assert(version.kind === "exit" && version.code === 0);
  assert.match(version.text, /^sluice {2}version: [^/]+\/[\d.]+\/Clean\/RELEASE\/[^/]+\n$/);
  // As of Envoy 1.40, with which generations are exchanged.
  const hotRestart = parseOptions(["--hot-restart-version"], 1);
  assert.deepEqual(hotRestart, { kind: "exit", code: 0, text: "11.104\n" });
});

test("parseOptions() names every flag that it ignores", () => {
  const options = run("--cpuset-threads", "--enable-core-dump", "--stats-tag", "a:b");
  assert.equal(options.ignoredFlags.length, 3);
  assert.match(options.ignoredFlags.join(), /--enable-core-dump \(use ulimit -c\)/);
});

test("hot restart is on where one of its flags is given, and not otherwise", () => {
  assert.equal(run().hotRestart, undefined);
  assert.equal(run("--drain-time-s", "5", "--parent-shutdown-time-s", "9").hotRestart, undefined);
  assert.equal(run("--base-id", "7", "--disable-hot-restart").hotRestart, undefined);
  assert.equal(run("--base-id", "7", "--mode", "validate").hotRestart, undefined);
  const named = ["--base-id", "7", "--restart-epoch", "2", "--socket-path", "/run/s"];
  assert.deepEqual(run(...named, "--socket-mode", "660").hotRestart, {
    epoch: 2,
    baseId: 7,
    baseIdPath: "",
    socketPath: "/run/s",
    socketMode: 0o660,
    skipsOnNoParent: false,
    skipsParentStats: false,
    parentShutdownMs: 900_000,
  });
  assert.equal(run("--use-dynamic-base-id").hotRestart?.baseId, "dynamic");
});

test("parseOptions() ends in options or a message, whatever it is given", () => {
  const word = fc.oneof(
    fc.constantFrom(...flagTable.map((flag) => `--${flag.name}`), "-c", "-l", "--", "1", "debug"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (args) => {
      const parsed = parseOptions(args, 2);
      assert(parsed.kind === "run" || parsed.text.length > 0);
    }),
  );
});
