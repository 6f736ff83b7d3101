import assert from "node:assert/strict";
import path from "node:path";
import { runLoad } from "../measure/pinned-process.ts";
import { ScriptedLoad } from "../measure/scripted-load.ts";
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
    using idle = new ScriptedLoad("idle-connections.ts", [port]);
    const hold = async (connections: number): Promise<number> => {
      await idle.ask(String(connections));
      return residentKib();
    };
    const before = await hold(firstConnections);
    const after = await hold(firstConnections + moreConnections);
    return (after - before) / moreConnections;
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
