import { completedStreams, h2loadCommand, type Http2Load } from "../load/h2load.ts";
import { runLoad } from "../measure/pinned-process.ts";
import { envoy, sluice } from "../proxies/envoy.ts";
import { haproxy } from "../proxies/haproxy.ts";
import { httpBackend, nginx } from "../proxies/nginx.ts";
import { backendFiles, http1Suite } from "./http1.ts";
import type { CostCase, Suite } from "./suite.ts";

/** HTTP/2 of clients, in plain text, to HTTP/1.1: what a request costs when many share a connection. */
export const http2Suite: Suite = {
  contenders: {
    sluice: () => sluice("http"),
    envoy: () => envoy("http"),
    nginx: () => nginx("h2c", "default"),
    haproxy: () => haproxy("h2c", "default"),
    "haproxy-tuned": () => haproxy("h2c", "tuned"),
  },
  cases: [
    cost("get-1x100", { path: "small", connections: 1, streams: 100 }),
    cost("get-10x10", { path: "small", connections: 10, streams: 10 }),
    cost("post-1k", { path: "small", connections: 10, streams: 10, post: 1024 }),
    cost("get-64k", { path: "64k", connections: 10, streams: 10 }),
  ],
  backend: (folder, port) => http1Suite.backend(folder, port),
};

/** HTTP/2 on both sides. nginx has no such upstream but for gRPC. */
export const http2UpstreamSuite: Suite = {
  contenders: {
    sluice: () => sluice("h2c-both"),
    envoy: () => envoy("h2c-both"),
    haproxy: () => haproxy("h2c-both", "default"),
    "haproxy-tuned": () => haproxy("h2c-both", "tuned"),
  },
  cases: http2Suite.cases,
  backend: (folder, port) => httpBackend(folder, backendFiles(folder), port, "h2c"),
};

function cost(name: string, load: Http2Load): CostCase {
  return {
    kind: "cost",
    name,
    unit: "µs/request",
    // h2load tells every answer that is not 200, and one that is cut.
    async verify(ports) {
      const { post: _, ...get } = load;
      completedStreams(await runLoad(h2loadCommand("", ports.proxy, { ...get, seconds: 1 })));
    },
    load: (folder, port, seconds) => h2loadCommand(folder, port, { ...load, seconds }),
    completed: completedStreams,
  };
}
