/** The admin's own traffic, under the names that Envoy gives it: `http.admin.` and `listener.admin.`. */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";

const httpStats = defineStats({
  counters: [
    "downstream_cx_total",
    "downstream_cx_destroy",
    "downstream_rq_total",
    "downstream_rq_completed",
    "downstream_rq_1xx",
    "downstream_rq_2xx",
    "downstream_rq_3xx",
    "downstream_rq_4xx",
    "downstream_rq_5xx",
  ],
  gauges: ["downstream_cx_active", "downstream_rq_active"],
});

const listenerStats = defineStats({
  counters: ["downstream_cx_total", "downstream_cx_destroy"],
  gauges: ["downstream_cx_active"],
});

const statusClasses = {
  1: "downstream_rq_1xx",
  2: "downstream_rq_2xx",
  3: "downstream_rq_3xx",
  4: "downstream_rq_4xx",
  5: "downstream_rq_5xx",
} as const;

export interface AdminStats {
  connectionOpened(): void;
  connectionClosed(): void;
  requestStarted(): void;
  requestEnded(status: number): void;
}

export function createAdminStats({ allocator, slab }: MainStats): AdminStats {
  const http = allocator.allocate(httpStats, "http.admin.");
  const listener = allocator.allocate(listenerStats, "listener.admin.");
  let connections = 0;
  let requests = 0;
  const showConnections = (): void => {
    slab.set(http, httpStats.offset("downstream_cx_active"), connections);
    slab.set(listener, listenerStats.offset("downstream_cx_active"), connections);
  };
  return {
    connectionOpened() {
      connections++;
      slab.add(http, httpStats.offset("downstream_cx_total"));
      slab.add(listener, listenerStats.offset("downstream_cx_total"));
      showConnections();
    },
    connectionClosed() {
      connections--;
      slab.add(http, httpStats.offset("downstream_cx_destroy"));
      slab.add(listener, listenerStats.offset("downstream_cx_destroy"));
      showConnections();
    },
    requestStarted() {
      requests++;
      slab.add(http, httpStats.offset("downstream_rq_total"));
      slab.set(http, httpStats.offset("downstream_rq_active"), requests);
    },
    requestEnded(status) {
      requests--;
      slab.add(http, httpStats.offset("downstream_rq_completed"));
      slab.set(http, httpStats.offset("downstream_rq_active"), requests);
      const statusClass = statusClasses[Math.floor(status / 100) as 1 | 2 | 3 | 4 | 5];
      slab.add(http, httpStats.offset(statusClass));
    },
  };
}
