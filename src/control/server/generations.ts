/**
 * Hot restart as the server sees it: sockets that come from the generation before, what is done for the next one, and the
 * stats of both. What goes over the wire, and in which order, is in `control/hot-restart`.
 *
 * What a newcomer would get wrong: a child takes nothing away from its parent before its own workers serve. Until then it
 * only holds the same sockets, and may end as if it had never been; for a while afterwards its parent can begin again.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { ListenSockets, SocketHolder } from "../../shared/io/listen-sockets.ts";
import type { ParentDuties } from "../hot-restart/child-link.ts";
import type { Handover } from "../hot-restart/handover/handover.ts";
import type { OwnSocket } from "../hot-restart/handover/socket-frames.ts";
import type { HotRestart } from "../hot-restart/hot-restart.ts";
import type { TakenService } from "../hot-restart/moves/connection-receiver.ts";
import type { ConnectionSender } from "../hot-restart/moves/connection-sender.ts";
import type { ParentState } from "../hot-restart/parent-watch.ts";
import { addressText } from "../hot-restart/socket-names.ts";
import type { SocketSource, SocketTransfer } from "../hot-restart/socket-transfer.ts";
import { ElderListener } from "../hot-restart/reports/elder-listener.ts";
import { ElderReports } from "../hot-restart/reports/elder-reports.ts";
import type { ToldDrains, ToldStats } from "../hot-restart/reports/report-messages.ts";
import { type CarriedNumbers, StatExporter, StatMerger } from "../hot-restart/stat-merger.ts";
import type { DrainDesk } from "../listener/drain-desk.ts";
import type { DrainsView } from "../listener/drain-view.ts";
import type { ElderDrains } from "../listener/elder-drains.ts";
import type { ConnectionMoves } from "../listener/connection-moves.ts";
import type { ListenerManager } from "../listener/listener-manager.ts";
import type { BindSocket, ListenerSockets } from "../listener/listener-sockets.ts";
import type { SocketActivation } from "./socket-activation.ts";
import type { ServerStats } from "./server-stats.ts";
import type { ServerSlabs } from "./worker-setup.ts";

interface GenerationsParts {
  /** Undefined: this process is the only one. */
  readonly hotRestart: HotRestart | undefined;
  /** By a directory, in place of epochs; undefined: it has none. */
  readonly handover: Handover | undefined;
  /** Undefined: no service manager has opened sockets. */
  readonly activation: SocketActivation | undefined;
  readonly clock: Clock;
}

/** Where this process listens, and what it does with connections of the one before. */
interface OwnService {
  readonly listeners: Pick<ListenerManager, "boundListeners">;
  readonly moves: ConnectionMoves | undefined;
  readonly elderDrains: ElderDrains;
}

interface Figures {
  readonly allocatedBytes: number;
  readonly connections: number;
}

/** What the server does on its successor's word. */
export interface Succession extends Pick<
  ParentDuties,
  "share" | "drainListeners" | "letGo" | "takeBack" | "terminate"
> {
  closeAdmin(): Promise<void>;
  /** Those that can move, to whoever takes over by epochs. */
  giveConnections(taker: ConnectionSender): void;
  figures(): Figures;
  /** All at once, as a hand-over takes them. */
  sockets(holder: SocketHolder): readonly OwnSocket[];
  /** A process that took over by the directory serves. */
  drainAndEnd(successor: ConnectionSender, pid: number): void;
  /** By a directory another process has come. */
  takeOverBegins(): void;
  /** It does not come to take over. */
  servesOn(): void;
}

export class Generations {
  readonly #hotRestart: HotRestart | undefined;
  readonly #handover: Handover | undefined;
  readonly #activation: SocketActivation | undefined;
  readonly #slabs: ServerSlabs;
  readonly #stats: ServerStats;
  readonly #clock: Clock;
  #exporter: StatExporter;
  /** Of the first generation. */
  #firstStartS: number;
  /** At the start: this one's admin waits for that. */
  readonly #hadParent: boolean;
  #generation = 1;
  #parentConnections = 0;

  constructor(
    { hotRestart, handover, activation, clock }: GenerationsParts,
    slabs: ServerSlabs,
    stats: ServerStats,
  ) {
    this.#hotRestart = hotRestart;
    this.#handover = handover;
    this.#activation = activation;
    this.#hadParent = this.hasParent;
    this.#slabs = slabs;
    this.#stats = stats;
    this.#clock = clock;
    this.#exporter = new StatExporter(slabs.store);
    this.#firstStartS = Math.floor(clock.wallTime() / 1000);
    stats.setGeneration({ epoch: hotRestart?.epoch ?? 0, generation: 1 });
  }

  /** Another generation has what this one would open. */
  get hasParent(): boolean {
    return this.#hotRestart?.hasParent ?? this.#handover?.hasParent ?? false;
  }

  /** The admin's, of the service manager or of the process before, if there is one that is handed over. */
  takeAdminSocket(address: SocketAddress): number | undefined {
    return this.#activation?.takeAdminSocket(address) ?? this.#handover?.takeAdminSocket(address);
  }

  get firstStartMs(): number {
    return this.#firstStartS * 1000;
  }

  /** This process's workers serve: its parent closes its admin, which `openAdmin` opens here, and drains. */
  async succeed(
    openAdmin: () => Promise<string | undefined>,
    service: OwnService,
  ): Promise<string | undefined> {
    if (this.#handover) return await this.#takeOver(this.#handover, openAdmin, service);
    const hotRestart = this.#hotRestart;
    await hotRestart?.greet(this.#serviceOf(service));
    const startS = await hotRestart?.takeAdmin();
    if (startS !== undefined) this.#firstStartS = startS;
    // Also where the parent was lost on the way.
    const refused = await openAdmin();
    if (refused !== undefined || !hotRestart?.hasParent) return refused;
    await hotRestart.drainParent(this.#parentFigures());
    return undefined;
  }

  /** From now on a next generation is answered. */
  awaitSuccessor(succession: Succession): void {
    this.#handover?.awaitSuccessor(succession);
    const duties: ParentDuties = {
      share: (address, worker, child) => succession.share(address, worker, child),
      shutdownAdmin: async () => {
        await succession.closeAdmin();
        return this.#firstStartS;
      },
      stats: () => {
        const { allocatedBytes, connections } = succession.figures();
        return {
          memoryAllocated: BigInt(allocatedBytes),
          // Whoever is before this one is kept for as long as it has any, and this one for its sake.
          numConnections: BigInt(connections + this.#parentConnections),
          ...asIntegers(this.#exporter.next()),
        };
      },
      drainListeners: (child) => succession.drainListeners(child),
      letGo: () => succession.letGo(),
      takeBack: () => {
        // What the one that is gone was told has gone with it.
        this.#exporter = new StatExporter(this.#slabs.store);
        succession.takeBack();
      },
      terminate: () => succession.terminate(),
    };
    this.#hotRestart?.serveChild(duties, {
      give: (taker) => succession.giveConnections(taker),
      // By epochs the admin is opened anew.
      sockets: (holder) => succession.sockets(holder).filter(({ role }) => role === "proxy"),
    });
  }

  /** What a process that was taken over from tells its successor until it ends. */
  reportTo(
    sibling: ConnectionSender,
    drains: Pick<DrainDesk, "list" | "subscribe">,
    figures: Succession["figures"] | undefined,
  ): ElderReports {
    const exporter = new StatExporter(this.#slabs.store);
    return new ElderReports({
      sibling,
      clock: this.#clock,
      drains: () => byGeneration(drains.list(), this.#generation),
      subscribe: (onChange) => drains.subscribe(onChange),
      stats: figures && (() => this.#toldStats(exporter, figures())),
    });
  }

  #toldStats(exporter: StatExporter, { connections }: Figures): ToldStats {
    const about = { generation: this.#generation, startedS: this.#firstStartS };
    return { ...exporter.next(), ...about, connections: connections + this.#parentConnections };
  }

  /** How the process before this one is, for as long as it is. */
  #parentFigures() {
    const merger = new StatMerger(this.#slabs.store, this.#slabs.stats.slab);
    return {
      merge: (carried: CarriedNumbers) => merger.merge(carried),
      setParent: ({ connections, generation }: ParentState) => {
        this.#setParentConnections(connections);
        if (generation > 0) this.#become(generation + 1);
      },
      onGone: () => {
        this.#setParentConnections(0);
        merger.forgetGauges();
      },
    };
  }

  #setParentConnections(count: number): void {
    this.#parentConnections = count;
    this.#stats.setParentConnections(count);
  }

  async #takeOver(
    handover: Handover,
    openAdmin: () => Promise<string | undefined>,
    service: OwnService,
  ): Promise<string | undefined> {
    const isFirst = !this.#hadParent;
    const refused = await handover.commit(this.#serviceOf(service));
    if (refused !== undefined || isFirst) return refused;
    return await openAdmin();
  }

  /** What of the old process's connections this one serves on. */
  #serviceOf({ listeners, moves, elderDrains }: OwnService): TakenService {
    const figures = this.#parentFigures();
    const elder = new ElderListener({
      onDrains: (generations) => elderDrains.tell(generations),
      onStats: ({ startedS, ...told }) => {
        if (startedS > 0) this.#firstStartS = Math.min(this.#firstStartS, startedS);
        figures.merge(told);
        figures.setParent(told);
      },
      onEmpty: () => this.#hotRestart?.parentIsEmpty(),
      onGone: () => {
        elderDrains.gone();
        // By epochs whoever asks it for its stats knows when it has ended.
        if (this.#handover) figures.onGone();
      },
    });
    return {
      elder,
      marks: listeners.boundListeners().map(({ localAddress, hash }) => ({
        address: addressText(localAddress),
        // It listens there, but takes no connections: no listener is the same.
        hash: moves ? hash : "",
      })),
      canServe: (address, connections) => moves?.canServe(address, connections) ?? [],
      adopt: async (address, connections) => {
        this.#stats.countMovedConnections(connections.length);
        await moves?.adopt(address, connections);
      },
    };
  }

  #become(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#stats.setGeneration({ epoch: this.#hotRestart?.epoch ?? 0, generation });
  }
}

/** The newest first, and of each what `list` has first. */
function byGeneration({ drains }: DrainsView, own: number): readonly ToldDrains[] {
  const groups = Map.groupBy(drains, ({ process_generation: elder }) => elder ?? own);
  return [...groups]
    .map(([generation, each]) => ({ generation, drains: each }))
    .sort((a, b) => b.generation - a.generation);
}

/** As Envoy's messages have them. */
function asIntegers({ counterDeltas, gauges }: CarriedNumbers) {
  const integers = (numbers: Readonly<Record<string, number | bigint>>) =>
    Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, BigInt(value)]));
  return { counterDeltas: integers(counterDeltas), gauges: integers(gauges) };
}

/** Where sockets come from that need not be opened, in the order of asking. */
export interface SocketOrigins {
  /** Undefined: no service manager has opened any. */
  readonly activation: SocketSource | undefined;
  /** Undefined: there is no process before. */
  readonly transfer: SocketTransfer | undefined;
}

/** Opens sockets, or takes them from where they are. */
export function bindOrTake(
  listenSockets: ListenSockets,
  { activation, transfer }: SocketOrigins,
  concurrency: number,
): BindSocket {
  return async (address, options, { worker, listener }) => {
    const { adoptListenSocket: adopt, hasOtherOptions } = listenSockets;
    const isNamed = address.kind === "pipe" || address.port !== 0;
    const isLast = !options.reusePort || worker === concurrency - 1;
    // Also of a process that has died since: what it gave is held here, and could not be bound beside.
    const sources = adopt && isNamed ? [activation, transfer] : [];
    for (const source of sources) {
      const taken = (await source?.takeListenSockets(address, worker, isLast, listener)) ?? [];
      const [socket, ...others] = taken.flatMap((fd) => adopt?.(fd, address, options) ?? []);
      if (!source || !socket) continue;
      // A listener that goes again while the other serves must not take the other's with it.
      for (const each of [socket, ...others]) each.shareWith(source.parent);
      const isOutdated = hasOtherOptions?.(socket.ref.handle, address, options) ?? false;
      return { ok: true, socket, others, isOutdated };
    }
    return listenSockets.openListenSocket(address, options);
  };
}

/** What a process that takes over gets: what listeners have, and the admin. */
export function socketsToGive(
  listenerSockets: Pick<ListenerSockets, "shareAll">,
  admin: { readonly address: SocketAddress; readonly descriptor: number | undefined } | undefined,
  holder: SocketHolder,
): readonly OwnSocket[] {
  const own = listenerSockets.shareAll(holder).map(({ ref, worker }) => ({
    address: addressText(ref.localAddress),
    worker,
    role: "proxy" as const,
    descriptor: ref.handle,
  }));
  if (admin?.descriptor === undefined) return own;
  const { address, descriptor } = admin;
  return [...own, { address: addressText(address), worker: 0, role: "admin", descriptor }];
}
