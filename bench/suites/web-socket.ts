import path from "node:path";
import { type Command, runLoad } from "../measure/pinned-process.ts";
import { ScriptedLoad } from "../measure/scripted-load.ts";
import { envoy, sluice } from "../proxies/envoy.ts";
import { haproxy } from "../proxies/haproxy.ts";
import { nginx } from "../proxies/nginx.ts";
import type { CostCase, MemoryCase, Suite } from "./suite.ts";

/** Beyond the first, so that what a proxy allocates ahead is not counted as theirs. */
const firstSockets = 500;
const moreSockets = 8000;

/** WebSockets over HTTP/1.1: a message there and back, and what an idle one holds. */
export const webSocketSuite: Suite = {
  contenders: {
    sluice: () => sluice("websocket"),
    envoy: () => envoy("websocket"),
    nginx: () => nginx("websocket", "default"),
    haproxy: () => haproxy("websocket", "default"),
  },
  cases: [echo(), idle()],
  backend: (_folder, port) => ({
    program: process.execPath,
    args: [script("web-socket-backend.ts"), String(port)],
  }),
};

function echo(): CostCase {
  return {
    kind: "cost",
    name: "echo",
    unit: "µs/message",
    async verify(ports) {
      // Each load checks what comes back, and fails if that is not what was sent.
      await runLoad(echoes(ports.proxy, 1, 0.05));
    },
    load: (_folder, port, seconds) => echoes(port, 64, seconds),
    completed: Number,
  };
}

function idle(): MemoryCase {
  return {
    kind: "memory",
    name: "idle",
    unit: "KiB/connection",
    async measure(port, residentKib) {
      using load = new ScriptedLoad("web-socket-load.ts", [port, 0, 0]);
      const hold = async (sockets: number): Promise<number> => {
        await load.ask(String(sockets));
        return residentKib();
      };
      const before = await hold(firstSockets);
      // One WebSocket is two connections.
      return ((await hold(firstSockets + moreSockets)) - before) / (2 * moreSockets);
    },
  };
}

function echoes(port: number, sockets: number, seconds: number): Command {
  const args = [script("web-socket-load.ts"), String(port), String(sockets), String(seconds)];
  return { program: process.execPath, args };
}

function script(name: string): string {
  return path.join(import.meta.dirname, "../load", name);
}
