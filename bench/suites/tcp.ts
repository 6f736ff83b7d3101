import path from "node:path";
import { runLoad } from "../measure/pinned-process.ts";
import { envoy, sluice } from "../proxies/envoy.ts";
import { haproxy } from "../proxies/haproxy.ts";
import type { CostCase, Suite } from "./suite.ts";

/** A TCP proxy: what a GiB costs, each way, and what a connection costs that does next to nothing. */
export const tcpSuite: Suite = {
  contenders: {
    sluice: () => sluice("tcp"),
    envoy: () => envoy("tcp"),
    haproxy: () => haproxy("tcp", "default"),
    "haproxy-tuned": () => haproxy("tcp", "tuned"),
  },
  cases: [
    bulk("up", 4),
    bulk("up", 32),
    bulk("down", 4),
    bulk("down", 32),
    cost("short", "µs/connection", { mode: "short", connections: 16 }),
  ],
  backend: (_folder, port) => ({
    program: process.execPath,
    args: [script("tcp-backend.ts"), String(port)],
  }),
};

interface TcpLoad {
  readonly mode: "up" | "down" | "short";
  readonly connections: number;
}

function bulk(mode: "up" | "down", connections: number): CostCase {
  return cost(`${mode}-${connections}`, "s/GiB", { mode, connections });
}

function cost(name: string, unit: CostCase["unit"], load: TcpLoad): CostCase {
  const command = (port: number, { mode, connections }: TcpLoad, seconds: number) => ({
    program: process.execPath,
    args: [
      script("tcp-load.ts"),
      `--port=${port}`,
      `--mode=${mode}`,
      `--connections=${connections}`,
      `--seconds=${seconds}`,
    ],
  });
  return {
    kind: "cost",
    name,
    unit,
    async verify(ports) {
      // Each load checks what arrives at its other end, and fails if that is not what was sent.
      await runLoad(command(ports.proxy, { ...load, connections: 1 }, 0.05));
    },
    load: (_folder, port, seconds) => command(port, load, seconds),
    completed: Number,
  };
}

function script(name: string): string {
  return path.join(import.meta.dirname, "../load", name);
}
