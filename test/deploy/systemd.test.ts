import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { unknownFlags } from "../support/known-flags.ts";

const unitFile = "deploy/systemd/sluice.service";
const unit = readFileSync(unitFile, "utf8");
const socketUnitFile = "deploy/systemd/sluice.socket";
const dropInFolder = "deploy/systemd/sluice.service.d";
/** One of the two, or neither. */
const dropIns = ["restarter.conf", "handover.conf"];
const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;
const skip = !hasSystemd && "systemd-analyze is not installed";

for (const dropIn of [undefined, ...dropIns])
  test(`systemd takes the unit with ${dropIn ?? "no drop-in"} without a word`, { skip }, (t) => {
    const { status, stderr } = analyze(t, dropIn, "verify");
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });

test("systemd takes the ports for the proxy without a word", { skip }, (t) => {
  const folder = copyOf(t, undefined);
  const socket = path.join(folder, "sluice.socket");
  writeFileSync(socket, readFileSync(socketUnitFile));
  const { status, stderr } = spawnSync("systemd-analyze", ["verify", socket], { encoding: "utf8" });
  assert.equal(stderr, "");
  assert.equal(status, 0);
});

test("systemd sees the service well confined", { skip }, (t) => {
  // 0 is nothing allowed, 100 is everything; the threshold is the worst level that passes.
  for (const dropIn of dropIns) {
    const { status, stdout } = analyze(t, dropIn, "security", "--offline=true", "--threshold=25");
    assert.equal(status, 0, stdout);
  }
});

test("the unit gives the proxy flags that it has", () => {
  const texts = dropIns.map((name) => readFileSync(path.join(dropInFolder, name), "utf8"));
  for (const line of [unit, ...texts].join("").matchAll(/^ExecStart(?:Pre)?=(.*)$/gm))
    assert.deepEqual(unknownFlags(line[1] ?? ""), []);
});

function analyze(
  t: TestContext,
  dropIn: string | undefined,
  ...args: string[]
): SpawnSyncReturns<string> {
  const copy = path.join(copyOf(t, dropIn), "sluice.service");
  return spawnSync("systemd-analyze", [...args, copy], { encoding: "utf8" });
}

/** A folder with a copy whose program is there: the unit's own path is where it will be installed. */
function copyOf(t: TestContext, dropIn: string | undefined): string {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-unit-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const copy = path.join(folder, "sluice.service");
  // By a link, for the checkout's own path may hold a blank, which a unit would have to quote.
  const program = path.join(folder, "sluice");
  symlinkSync(process.cwd(), program);
  writeFileSync(copy, unit.replaceAll("/opt/sluice", program));
  if (dropIn !== undefined) {
    mkdirSync(`${copy}.d`);
    const text = readFileSync(path.join(dropInFolder, dropIn), "utf8");
    writeFileSync(path.join(`${copy}.d`, dropIn), text.replaceAll("/opt/sluice", program));
  }
  return folder;
}
