/**
 * Hot restart as the server sees it: sockets that come from the generation before, what is done for the next one, and the
 * stats of both. What goes over the wire, and in which order, is in `control/hot-restart`.
 *
 * What a newcomer would get wrong: a child takes nothing away from its parent before its own workers serve. Until then it
 * only holds the same sockets, and may end as if it had never been; for a while afterwards its parent can begin again.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { ListenSockets } from "../../shared/io/listen-sockets.ts";
import type { ParentDuties } from "../hot-restart/child-link.ts";
import type { HotRestart } from "../hot-restart/hot-restart.ts";
import { StatExporter, StatMerger } from "../hot-restart/stat-merger.ts";
import type { BindSocket } from "../listener/listener-sockets.ts";
import type { ServerStats } from "./server-stats.ts";
import type { ServerSlabs } from "./worker-setup.ts";

interface GenerationsParts {
  /** Undefined: this process is the only one. */
  readonly hotRestart: HotRestart | undefined;
  readonly clock: Clock;
}

/** What the server does on its successor's word. */
export interface Succession extends Pick<
  ParentDuties,
  "drainListeners" | "letGo" | "takeBack" | "terminate"
> {
  /** See `ListenerSockets.share`. */
  share(address: SocketAddress, worker: number, isShared: () => boolean): number | undefined;
  closeAdmin(): Promise<void>;
  figures(): { readonly allocatedBytes: number; readonly connections: number };
}

export class Generations {
  readonly #hotRestart: HotRestart | undefined;
  readonly #slabs: ServerSlabs;
  readonly #stats: ServerStats;
  #exporter: StatExporter;
  /** Of the first generation. */
  #firstStartS: number;
  #generation = 1;

  constructor({ hotRestart, clock }: GenerationsParts, slabs: ServerSlabs, stats: ServerStats) {
    this.#hotRestart = hotRestart;
    this.#slabs = slabs;
    this.#stats = stats;
    this.#exporter = new StatExporter(slabs.store);
    this.#firstStartS = Math.floor(clock.wallTime() / 1000);
    stats.setGeneration({ epoch: hotRestart?.epoch ?? 0, generation: 1 });
  }

  /** Another generation has what this one would open. */
  get hasParent(): boolean {
    return this.#hotRestart?.hasParent ?? false;
  }

  get firstStartMs(): number {
    return this.#firstStartS * 1000;
  }

  /** This process's workers serve: its parent closes its admin, which `openAdmin` opens here, and drains. */
  async succeed(openAdmin: () => Promise<string | undefined>): Promise<string | undefined> {
    const hotRestart = this.#hotRestart;
    const stats = this.#stats;
    const startS = await hotRestart?.takeAdmin();
    if (startS !== undefined) this.#firstStartS = startS;
    // Also where the parent was lost on the way.
    const refused = await openAdmin();
    if (refused !== undefined || !hotRestart?.hasParent) return refused;
    const merger = new StatMerger(this.#slabs.store, this.#slabs.stats.slab);
    await hotRestart.drainParent({
      merge: (carried) => merger.merge(carried),
      setParent: ({ connections, generation }) => {
        stats.setParentConnections(connections);
        if (generation > 0) this.#become(generation + 1);
      },
      onGone: () => {
        stats.setParentConnections(0);
        merger.forgetGauges();
      },
    });
    return undefined;
  }

  /** From now on a next generation is answered. */
  awaitSuccessor(succession: Succession): void {
    const hotRestart = this.#hotRestart;
    hotRestart?.serveChild({
      share: (address, worker) => succession.share(address, worker, () => hotRestart.hasChild),
      shutdownAdmin: async () => {
        await succession.closeAdmin();
        return this.#firstStartS;
      },
      stats: () => {
        const { allocatedBytes, connections } = succession.figures();
        return {
          memoryAllocated: BigInt(allocatedBytes),
          numConnections: BigInt(connections),
          ...this.#exporter.next(),
        };
      },
      drainListeners: () => succession.drainListeners(),
      letGo: () => succession.letGo(),
      takeBack: () => {
        // What the one that is gone was told has gone with it.
        this.#exporter = new StatExporter(this.#slabs.store);
        succession.takeBack();
      },
      terminate: () => succession.terminate(),
    });
  }

  #become(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#stats.setGeneration({ epoch: this.#hotRestart?.epoch ?? 0, generation });
  }
}

/** Opens sockets, or takes them from the generation before where it has them. */
export function bindOrTake(
  listenSockets: ListenSockets,
  hotRestart: HotRestart | undefined,
  concurrency: number,
): BindSocket {
  return async (address, options, worker) => {
    const open = () => listenSockets.openListenSocket(address, options);
    const adopt = listenSockets.adoptListenSocket;
    const isNamed = address.kind === "pipe" || address.port !== 0;
    if (!hotRestart?.hasParent || !adopt || !isNamed) return open();
    const isLast = !options.reusePort || worker === concurrency - 1;
    const taken = await hotRestart.takeListenSockets(address, worker, isLast);
    const [socket, ...others] = taken.map((fd) => adopt(fd, address, options));
    return socket ? { ok: true, socket, others } : open();
  };
}
