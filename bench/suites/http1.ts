import assert from "node:assert/strict";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { completedRequests, type HttpLoad, wrkCommand } from "../load/wrk.ts";
import { envoy, sluice } from "../proxies/envoy.ts";
import { haproxy } from "../proxies/haproxy.ts";
import { backendBodies, httpBackend, nginx } from "../proxies/nginx.ts";
import { idleConnectionMemory, slowDownloadMemory } from "./memory.ts";
import type { CostCase, Suite } from "./suite.ts";

/** HTTP/1.1 to HTTP/1.1: what a request costs, and what a connection holds. */
export const http1Suite: Suite = {
  contenders: {
    sluice: () => sluice("http"),
    envoy: () => envoy("http"),
    nginx: () => nginx("http", "default"),
    "nginx-tuned": () => nginx("http", "tuned"),
    haproxy: () => haproxy("http", "default"),
    "haproxy-tuned": () => haproxy("http", "tuned"),
  },
  cases: [
    cost("get", { path: "small" }),
    cost("post-1k", { path: "small", postBytes: 1024 }),
    cost("get-64k", { path: "64k" }),
    slowDownloadMemory,
    idleConnectionMemory,
  ],
  backend: (folder, port) => httpBackend(folder, backendFiles(folder), port),
};

/** A folder of bodies of 64 KiB and 1 GiB. */
export function backendFiles(folder: string): string {
  const files = path.join(folder, "files");
  mkdirSync(files);
  writeFileSync(path.join(files, "64k"), "x".repeat(backendBodies["64k"]));
  writeFileSync(path.join(files, "1g"), "");
  truncateSync(path.join(files, "1g"), backendBodies["1g"]);
  return files;
}

function cost(name: string, load: Pick<HttpLoad, "path" | "postBytes">): CostCase {
  return {
    kind: "cost",
    name,
    unit: "µs/request",
    async verify(ports) {
      const body = load.postBytes === undefined ? undefined : "x".repeat(load.postBytes);
      const response = await fetch(`http://127.0.0.1:${ports.proxy}/${load.path}`, {
        ...(body !== undefined && { method: "POST", body }),
      });
      const answer = await response.text();
      assert.equal(response.status, 200);
      assert.equal(answer.length, backendBodies[load.path]);
    },
    load: (folder, port, seconds) =>
      wrkCommand(folder, port, { ...load, seconds, connections: 64 }),
    completed: completedRequests,
  };
}
