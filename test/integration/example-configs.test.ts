import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

/** What people copy has to work: every bootstrap that is shown or shipped is one the proxy takes. */
const readme = readFileSync("README.md", "utf8");
const shown = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
const bootstraps: Readonly<Record<string, string>> = {
  "deploy/compose/bootstrap.yaml": readFileSync("deploy/compose/bootstrap.yaml", "utf8"),
  ...Object.fromEntries(shown.map((text, index) => [`README.md, example ${index + 1}`, text])),
};

test("the README shows a bootstrap", () => assert(shown.length > 0));

for (const [where, text] of Object.entries(bootstraps)) {
  test(`${where} is a bootstrap that the proxy takes`, () => {
    const args = ["--mode", "validate", "--config-yaml", text];
    const { status, stderr } = spawnSync(path.resolve("bin/sluice"), args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /warning/, "a shown bootstrap has no field without effect");
  });
}
