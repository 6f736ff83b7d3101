import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { until } from "../../support/until.ts";

/** `npm start` as a person runs it; `SLUICE_TEST_PROXY=envoy` runs it with Envoy in Sluice's place. */
class Story implements Disposable {
  readonly #process: ChildProcess;
  output = "";

  constructor(...args: readonly string[]) {
    const proxy = process.env["SLUICE_TEST_PROXY"] ?? path.resolve("bin/sluice");
    this.#process = spawn(process.execPath, ["src/cli/story/main.ts", `--proxy=${proxy}`, ...args]);
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
  }

  async ended(): Promise<number | null> {
    const { exitCode } = this.#process;
    if (exitCode !== null) return exitCode;
    const [code] = (await once(this.#process, "close")) as [number | null];
    return code;
  }

  stop(): void {
    this.#process.kill("SIGTERM");
  }

  [Symbol.dispose](): void {
    if (this.#process.exitCode === null) this.#process.kill("SIGTERM");
  }
}

test("the story goes through every kind of change without one failed request", async () => {
  using story = new Story("--once");
  const code = await story.ended();
  assert.equal(code, 0, story.output);
  for (const step of [
    "1. add",
    "2. change a route",
    "3. change",
    "4. move",
    "5. remove",
    "6. push",
  ])
    assert(story.output.includes(step), step);
  assert.match(story.output, /NACK: .*unknown cluster 'nowhere'/);
  assert.match(story.output, /the download finished/);
  assert.match(story.output, /^\d{3,} requests, 0 failed$/m);
});

test("it stays up and pushes what is saved, and tells of what is broken", async () => {
  const example = mkdtempSync(path.join(tmpdir(), "sluice-example-"));
  cpSync("examples/story", example, { recursive: true });
  using story = new Story("--quiet", `--example=${example}`);
  const address = (): string | undefined =>
    /curl (http:\/\/127.0.0.1:\d+\/)/.exec(story.output)?.[1];
  const shop = await until(address, "it is up and says where");
  const answer = async (): Promise<string> => (await fetch(shop)).text();
  assert.equal(await answer(), "blue");
  const file = path.join(example, "resources/routes/shop.yaml");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace("blue", "green"));
  await until(async () => (await answer()) === "green", "the saved route is served");
  writeFileSync(file, "name: [");
  await until(() => story.output.includes("not pushed"), "the mistake is told");
  assert.equal(await answer(), "green");
  story.stop();
  assert.equal(await story.ended(), 0, story.output);
  rmSync(example, { recursive: true });
});

test("a proxy that does not start is told with its last words, and the exit code says so", async () => {
  const example = mkdtempSync(path.join(tmpdir(), "sluice-example-"));
  cpSync("examples/story", example, { recursive: true });
  writeFileSync(path.join(example, "bootstrap.yaml"), "admin: 5\n");
  using story = new Story("--once", `--example=${example}`);
  assert.equal(await story.ended(), 1);
  assert.match(story.output, /did not start:\n.*admin/s);
  rmSync(example, { recursive: true });
});
