import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { SluiceProgram, tcpBootstrap } from "../../support/sluice-program.ts";

const fault = pathToFileURL(path.resolve("test/support/fault.mjs")).href;

/** The promise is two seconds; the machine that runs this may be busy with other tests. */
const limitMs = 2_000;

const table: readonly (readonly [fault: string, log: RegExp | undefined])[] = [
  ["main throw", /critical.*uncaught exception: Error: planted throw/],
  ["main reject", /critical.*unhandled rejection: Error: planted rejection/],
  ["main exit", undefined],
  ["worker throw", /critical.*planted throw/],
  ["worker reject", /critical.*planted rejection/],
  ["worker exit", /critical.*worker \d is lost: exit code 3/],
];

/** The node reactor's worker has no thread of its own to fail in. */
const hasThreads = process.env["SLUICE_REACTOR"] !== "node";

for (const [what, log] of table) {
  const options = { skip: what.startsWith("worker") && !hasThreads, timeout: 60_000 };
  const name = `a ${what} ends the process with the code for bugs, within two seconds`;
  test(name, options, async () => {
    await using sluice = new SluiceProgram(
      ["-c", "b.yaml", "--concurrency", "2", "--admin-address-path", "admin"],
      {
        files: { "b.yaml": JSON.stringify(tcpBootstrap(1)) },
        env: { NODE_OPTIONS: `--import ${fault}`, SLUICE_FAULT_FILE: "fault" },
      },
    );
    await sluice.live();
    const plantedMs = performance.now();
    writeFileSync(path.join(sluice.folder, "fault"), what);
    assert.equal(await sluice.exit, 70, sluice.stderr);
    assert(performance.now() - plantedMs < limitMs);
    if (log) assert.match(sluice.stderr, log);
  });
}
