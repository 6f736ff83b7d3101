import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { SluiceProgram } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

/** `sluice xds-server` as a person starts it. */
const ports = ["--address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"];
const cluster = (name: string): string => `{name: ${name}, type: STATIC, connect_timeout: 1s}`;

test("a folder is served, followed, and told of in words; it ends when told to", async () => {
  const files = { "clusters.yaml": cluster("one") };
  await using program = new SluiceProgram(["xds-server", ".", ...ports], { files });
  const served = /serving \. on port \d+, its HTTP API on port (\d+)/;
  const port = await until(() => served.exec(program.stdout)?.[1], "it serves");
  assert.match(program.stdout, /^push CDS [0-9a-f]{12}: 1 resources$/m);
  writeFileSync(path.join(program.folder, "clusters.yaml"), "just a word");
  await until(() => /not pushed.*must be a mapping/.test(program.stdout), "the mistake is told");
  const read = await fetch(`http://127.0.0.1:${port}/resources/clusters/one`);
  assert.equal(read.status, 200, "what was good goes on");
  writeFileSync(path.join(program.folder, "clusters.yaml"), cluster("two"));
  await until(
    async () => (await fetch(`http://127.0.0.1:${port}/resources/clusters/two`)).ok,
    "the repaired file is served",
  );
  program.child.kill("SIGTERM");
  assert.equal(await program.exit, 0);
});

test("mistakes of the command line end it with a sentence that says what to do", async () => {
  const table: readonly (readonly [readonly string[], RegExp])[] = [
    [["--address", "nowhere"], /'nowhere' is no address: want host:port/],
    [["a", "b"], /one folder, not 2; see --help/],
    [["--bogus"], /bogus/],
    [["no-such-folder", ...ports], /no-such-folder/],
  ];
  for (const [args, wanted] of table) {
    await using program = new SluiceProgram(["xds-server", ...args]);
    assert.equal(await program.exit, 1);
    assert.match(program.stderr, wanted);
    assert.doesNotMatch(program.stderr, /\n\s+at /, "no stack");
  }
});

test("an address that is taken is told with the flag that names another", async () => {
  await using first = new SluiceProgram(["xds-server", ...ports]);
  const port = await until(() => /on port (\d+)/.exec(first.stdout)?.[1], "it serves");
  await using second = new SluiceProgram(["xds-server", "--address", `127.0.0.1:${port}`]);
  assert.equal(await second.exit, 1);
  assert.match(second.stderr, /another program listens there; name another with --address/);
});

test("--help tells of every flag", async () => {
  await using program = new SluiceProgram(["xds-server", "--help"]);
  assert.equal(await program.exit, 0);
  for (const flag of ["--address", "--http-address", "--allowed-host", "FOLDER"])
    assert(program.stdout.includes(flag), flag);
});
