import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseRestarterOptions } from "../../src/cli/restarter/restarter-options.ts";
import { parseOptions } from "../../src/control/server/options.ts";

/** What follows the drain: workers' answer, and their end. */
const endSeconds = 2;

for (const [file, setting] of [
  ["deploy/compose.yaml", /stop_grace_period: (\d+)s$/m],
  ["deploy/systemd/sluice.service", /^TimeoutStopSec=(\d+)$/m],
] as const)
  test(`${file} kills no proxy that still drains by default`, () => {
    const parsed = parseOptions([], 1);
    assert(parsed.kind === "run");
    const seconds = Number(setting.exec(readFileSync(file, "utf8"))?.[1]);
    assert(seconds >= parsed.options.shutdownDrainMs / 1000 + endSeconds, `${seconds} s`);
  });

for (const [file, setting] of [
  ["deploy/compose.restarter.yaml", /stop_grace_period: (\d+)s$/m],
  ["deploy/systemd/sluice.service.d/restarter.conf", /^TimeoutStopSec=(\d+)$/m],
] as const)
  test(`${file} lets the restarter end its processes itself`, () => {
    const options = parseRestarterOptions(["--", "sluice"]);
    assert(options);
    const seconds = Number(setting.exec(readFileSync(file, "utf8"))?.[1]);
    assert(seconds >= options.termTimeoutMs / 1000 + endSeconds, `${seconds} s`);
  });
