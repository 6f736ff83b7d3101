/** What the server needs of the other tower, which it may not name: `main.ts` hands it over. */
import type { ListenSockets } from "../../shared/io/listen-sockets.ts";
import type { SpawnWorker } from "../workers/worker-port.ts";

export interface DataPlane {
  readonly reactor: "epoll" | "node";
  /** One for `node`: its only worker lives on the main thread. */
  readonly workersMax: number;
  readonly spawn: SpawnWorker;
  readonly listenSockets: ListenSockets;
  /** Ends the process at once. */
  exit(code: number): never;
}
