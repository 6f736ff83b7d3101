import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";

/** A program of `bench/load` that is told line by line what to do, and answers each line with one. */
export class ScriptedLoad implements Disposable {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<never>;

  /** It shares the core of whoever starts it. */
  constructor(script: string, args: readonly (string | number)[]) {
    const file = path.join(import.meta.dirname, "../load", script);
    const child = spawn(process.execPath, [file, ...args.map(String)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    this.#lines = createInterface(child.stdout);
    this.#ended = once(child, "exit").then(() => assert.fail(`${script} has ended`));
    // Only of interest to whoever waits for an answer.
    this.#ended.catch(() => {});
  }

  async ask(line: string): Promise<string> {
    const answer = once(this.#lines, "line");
    this.#child.stdin?.write(`${line}\n`);
    const [text] = (await Promise.race([answer, this.#ended])) as [string];
    return text;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
