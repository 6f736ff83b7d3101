/** Ending a process or a thread whose reactor is busy: with the code that was meant, and never by a crash. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const skip = process.platform !== "linux" && "the epoll reactor is Linux's";
const script = fileURLToPath(new URL("exit-process.ts", import.meta.url));

for (const [how, meant] of [
  ["now", 7],
  ["stop", 20],
  ["exit", 25],
] as const) {
  test(`a busy worker and '${how}'`, { skip, timeout: 30_000 }, async () => {
    const child = spawn(process.execPath, [script, how], { stdio: "inherit" });
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    assert.deepEqual({ code, signal }, { code: meant, signal: null });
  });
}
