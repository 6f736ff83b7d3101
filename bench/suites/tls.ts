import path from "node:path";
import { completedRequests, type HttpLoad, wrkCommand } from "../load/wrk.ts";
import { runLoad } from "../measure/pinned-process.ts";
import { envoy, sluice } from "../proxies/envoy.ts";
import { haproxy } from "../proxies/haproxy.ts";
import { nginx } from "../proxies/nginx.ts";
import { http1Suite } from "./http1.ts";
import type { CostCase, Suite } from "./suite.ts";
import { tcpSuite } from "./tcp.ts";

/** TLS of clients: what a request costs on a connection that stays, and what a whole handshake costs. */
export const tlsSuite: Suite = {
  contenders: {
    sluice: () => sluice("https"),
    envoy: () => envoy("https"),
    nginx: () => nginx("https", "default"),
    "nginx-tuned": () => nginx("https", "tuned"),
    haproxy: () => haproxy("https", "default"),
    "haproxy-tuned": () => haproxy("https", "tuned"),
  },
  cases: [
    requests("get", { path: "small" }),
    requests("get-64k", { path: "64k" }),
    connections("rsa"),
    connections("ecdsa"),
  ],
  backend: (folder, port) => http1Suite.backend(folder, port),
};

/** The way in: three listener filters and a thousand filter chains by name. */
export const sniSuite: Suite = {
  contenders: { sluice: () => sluice("sni"), envoy: () => envoy("sni") },
  cases: [connections("sni")],
  backend: (folder, port) => tcpSuite.backend(folder, port),
};

function requests(name: string, load: Pick<HttpLoad, "path">): CostCase {
  const command = (folder: string, port: number, seconds: number, clients: number) =>
    wrkCommand(folder, port, { ...load, isTls: true, seconds, connections: clients });
  return {
    kind: "cost",
    name,
    unit: "µs/request",
    // wrk tells every answer that is not 200, and one that is cut.
    verify: async (ports) => void completedRequests(await runLoad(command("", ports.proxy, 1, 1))),
    load: (folder, port, seconds) => command(folder, port, seconds, 64),
    completed: completedRequests,
  };
}

function connections(mode: "rsa" | "ecdsa" | "sni"): CostCase {
  const command = (port: number, clients: number, seconds: number) => ({
    program: process.execPath,
    args: [
      path.join(import.meta.dirname, "../load/tls-load.ts"),
      `--port=${port}`,
      `--mode=${mode}`,
      `--clients=${clients}`,
      `--seconds=${seconds}`,
    ],
  });
  return {
    kind: "cost",
    name: mode,
    unit: "µs/connection",
    // Each load checks that its connections came to what they should.
    verify: async (ports) => void (await runLoad(command(ports.proxy, 1, 0.05))),
    load: (_folder, port, seconds) => command(port, 16, seconds),
    completed: Number,
  };
}
