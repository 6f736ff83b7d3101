/** What the managers are put together from, and what the files that do it are all given. */
import type { Clock } from "../../shared/common/clock.ts";
import type { LoggerOf } from "../../shared/common/log.ts";
import type { Random } from "../../shared/common/random.ts";
import type { ListenSockets } from "../../shared/io/listen-sockets.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import type { SocketOrigins } from "./generations.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { ConfigDecoders } from "./config-decoders.ts";
import type { DataPlane } from "./data-plane.ts";
import type { ServerOptions } from "./options.ts";
import type { ServerLifecycle } from "./server-phase.ts";
import type { TakeOverGate } from "./take-over-gate.ts";
import type { ServerSlabs } from "./worker-setup.ts";

export interface ControlPlaneParts {
  readonly options: ServerOptions;
  readonly bootstrap: BootstrapConfig;
  readonly decoders: ConfigDecoders;
  readonly pool: WorkerPool;
  readonly limits: SharedLimits;
  readonly slabs: ServerSlabs;
  readonly listenSockets: ListenSockets;
  /** Of another process; undefined: there is none. */
  readonly origins: SocketOrigins;
  readonly gate: TakeOverGate;
  /** Of the workers. */
  readonly reactor: DataPlane["reactor"];
  readonly lifecycle: ServerLifecycle;
  readonly clock: Clock;
  readonly random: Random;
  readonly loggerOf: LoggerOf;
}
