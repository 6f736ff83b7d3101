import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { usageOf } from "../../bench/measure/process-tree.ts";

const isLinux = process.platform === "linux";

test(
  "usageOf() counts the children of a process",
  { skip: !isLinux && "needs /proc" },
  async () => {
    // A shell that waits for a child of its own: the child is most of the memory.
    const script = `"${process.execPath}" -e 'console.log("up"); process.stdin.resume()' | cat`;
    const shell = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    await once(shell.stdout, "data");
    const { cpuNs, residentKib, peakResidentKib } = usageOf(shell.pid ?? 0);
    shell.stdin.end();
    await once(shell, "exit");
    assert(cpuNs > 0);
    assert(residentKib > 20_000, `${residentKib} KiB are a shell without its child`);
    assert(peakResidentKib >= residentKib);
  },
);
