/** Endpoints about the process itself: ending it, its logs, its memory. */
import { type AdminEndpoint, jsonResponse, okResponse, textResponse } from "./endpoint.ts";

export function quitEndpoint(quit: () => void): AdminEndpoint {
  return {
    path: "/quitquitquit",
    isMutation: true,
    help: "exit the server",
    handle: () => ({ ...okResponse, afterwards: quit }),
  };
}

export function reopenLogsEndpoint(reopen: () => void): AdminEndpoint {
  return {
    path: "/reopen_logs",
    isMutation: true,
    help: "reopen access logs",
    handle() {
      reopen();
      return okResponse;
    },
  };
}

/** Bytes. Of the main thread's heap, and of the whole process. */
export interface MemoryUse {
  readonly allocated: number;
  readonly heapSize: number;
  readonly physical: number;
}

export function memoryEndpoint(use: () => MemoryUse): AdminEndpoint {
  return {
    path: "/memory",
    isMutation: false,
    help: "print current allocation/heap usage",
    handle() {
      const { allocated, heapSize, physical } = use();
      // uint64 is a string in proto3 JSON; the tcmalloc fields have no counterpart here.
      return jsonResponse({
        allocated: String(allocated),
        heap_size: String(heapSize),
        pageheap_unmapped: "0",
        pageheap_free: String(heapSize - Math.min(heapSize, allocated)),
        total_thread_cache: "0",
        total_physical_bytes: String(physical),
      });
    },
  };
}

export function hotRestartVersionEndpoint(version: () => string): AdminEndpoint {
  return {
    path: "/hot_restart_version",
    isMutation: false,
    help: "print the hot restart compatibility version",
    handle: () => textResponse(version()),
  };
}
