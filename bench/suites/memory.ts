import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { runLoad } from "../measure/pinned-process.ts";
import { backendBodies } from "../proxies/nginx.ts";
import type { MemoryCase } from "./suite.ts";

/** What connections hold: an idle one, and one whose client reads slowly. */
const loadFolder = path.join(import.meta.dirname, "../load");
const sampleTimeMs = 50;

/** Beyond the first thousand, so that what a proxy allocates ahead is not counted as connections'. */
const firstConnections = 1000;
const moreConnections = 8000;

export const idleConnectionMemory: MemoryCase = {
  kind: "memory",
  name: "idle-connection",
  unit: "KiB/connection",
  async measure(port, residentKib) {
    const script = path.join(loadFolder, "idle-connections.ts");
    const child = spawn(process.execPath, [script, String(port)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface(child.stdout);
    const hold = async (connections: number): Promise<number> => {
      child.stdin.write(`${connections}\n`);
      const ended = once(child, "exit").then(() => assert.fail("connections could not be held"));
      await Promise.race([once(lines, "line"), ended]);
      return residentKib();
    };
    try {
      const before = await hold(firstConnections);
      const after = await hold(firstConnections + moreConnections);
      return (after - before) / moreConnections;
    } finally {
      child.kill("SIGKILL");
    }
  },
};

const slowBytesPerSecond = 1_000_000;
const slowSeconds = 20;
const warmUpRequests = 200;

/** The buffers between two sockets fill within the first second; what grows later is a leak. */
export const slowDownloadMemory: MemoryCase = {
  kind: "memory",
  name: "slow-download",
  unit: "MiB",
  async measure(port, residentKib) {
    await warmUp(port);
    const before = residentKib();
    let highest = before;
    const sampler = setInterval(() => {
      highest = Math.max(highest, residentKib());
    }, sampleTimeMs);
    try {
      const script = path.join(loadFolder, "slow-download.ts");
      const args = [script, String(port), String(slowBytesPerSecond), String(slowSeconds)];
      const received = Number(await runLoad({ program: process.execPath, args }));
      const expected = slowBytesPerSecond * slowSeconds;
      assert(received > expected / 2, `the slow client received ${received} bytes only`);
    } finally {
      clearInterval(sampler);
    }
    return (highest - before) / 1024;
  },
};

/** What a proxy loads or compiles at its first requests is no connection's. */
async function warmUp(port: number): Promise<void> {
  for (let request = 0; request < warmUpRequests; request++) {
    const response = await fetch(`http://127.0.0.1:${port}/64k`);
    assert.equal((await response.arrayBuffer()).byteLength, backendBodies["64k"]);
  }
}
