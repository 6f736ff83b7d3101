/**
 * What the server does on its successor's word: gives sockets, closes its admin, drains; and takes all of that back where
 * the successor is gone while this process is still there.
 */
import { type SocketAddress, formatAddress } from "../../shared/common/address.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { ServiceManager } from "../../shared/common/service-manager.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { SocketHolder } from "../../shared/io/listen-sockets.ts";
import type { OwnSocket } from "../hot-restart/handover/socket-frames.ts";
import type { ConnectionSender } from "../hot-restart/moves/connection-sender.ts";
import type { ElderReports } from "../hot-restart/reports/elder-reports.ts";
import type { HandOverDrain } from "../listener/shutdown-drain.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type Generations, type Succession, socketsToGive } from "./generations.ts";

/** The successor's admin may be open yet when its other sockets are closed. */
const adminTriesMax = 20;
const adminRetryMs = 250;

export interface SuccessorDutiesParts {
  readonly plane: Pick<
    ControlPlane,
    "listeners" | "listenerSockets" | "serverDrain" | "shutdownDrain" | "moves" | "drains"
  >;
  /** Undefined: nobody wants to be told. */
  readonly service: ServiceManager | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of connections, after a hand-over by a directory. */
  readonly handoverDrainMs: number;
  readonly figures: Succession["figures"];
  readonly reportTo: Generations["reportTo"];
  readonly admin: () => Parameters<typeof socketsToGive>[1];
  /** Why it cannot be opened. */
  readonly openAdmin: () => Promise<string | undefined>;
  readonly closeAdmin: () => Promise<void>;
  readonly isEnding: () => boolean;
  readonly end: (reason: string) => void;
}

export class SuccessorDuties implements Succession {
  readonly #parts: SuccessorDutiesParts;
  /** Another process serves. */
  #isSucceeded = false;
  /** By a directory. */
  #handedOver: HandOverDrain | undefined;
  #reports: ElderReports | undefined;

  constructor(parts: SuccessorDutiesParts) {
    this.#parts = parts;
  }

  get isSucceeded(): boolean {
    return this.#isSucceeded;
  }

  share(address: SocketAddress, worker: number, child: SocketHolder): number | undefined {
    return this.#parts.plane.listenerSockets.share(address, worker, child)?.handle;
  }

  sockets(holder: SocketHolder): readonly OwnSocket[] {
    const { plane, admin, service } = this.#parts;
    service?.notify("reloading", "another process takes over");
    return socketsToGive(plane.listenerSockets, admin(), holder);
  }

  servesOn(): void {
    this.#parts.service?.notify("ready", "serving, as the other process did not come to it");
  }

  figures(): ReturnType<Succession["figures"]> {
    return this.#parts.figures();
  }

  closeAdmin(): Promise<void> {
    return this.#parts.closeAdmin();
  }

  drainListeners(child: SocketHolder): void {
    this.#isSucceeded = true;
    const order = { graceful: false, skipExit: false, inboundOnly: false };
    void this.#parts.plane.serverDrain.drainListeners({
      ...order,
      keeps: (lease) => lease.isHeldBy(child),
      cause: "hot-restart",
    });
  }

  drainAndEnd(successor: ConnectionSender, pid: number): void {
    const { plane, handoverDrainMs, service, end } = this.#parts;
    this.#isSucceeded = true;
    service?.notify("ready", `process ${pid} serves`, pid);
    this.#report(successor, () => this.figures());
    plane.moves?.give(successor);
    // As it is now: it may be gone before all workers have paused.
    const kept = new Set(
      plane.listeners
        .boundListeners()
        .filter(({ localAddress }) => successor.hashAt(localAddress) !== undefined)
        .map(({ localAddress }) => formatAddress(localAddress)),
    );
    const drain = plane.shutdownDrain.handOver(handoverDrainMs, ({ localAddress }) =>
      kept.has(formatAddress(localAddress)),
    );
    this.#handedOver = drain;
    void drain.whenOver.then(async (how) => {
      await this.settled();
      if (how === "ended") end("drained");
    });
  }

  letGo(): void {
    void (this.#handedOver ?? this.#parts.plane.serverDrain).letGo();
  }

  takeBack(): void {
    this.#parts.log.warning("the process that took over is gone: this one serves again");
    void this.#takeBack();
  }

  giveConnections(taker: ConnectionSender): void {
    // By epochs it asks for stats, as Envoy does.
    this.#report(taker, undefined);
    this.#parts.plane.moves?.give(taker);
  }

  terminate(): void {
    void this.settled().then(() => this.#parts.end("a new generation serves"));
  }

  /** Connections that are on their way to another process are there, or back, and it has heard the last of this one. */
  async settled(): Promise<void> {
    await this.#parts.plane.moves?.settled();
    await this.#reports?.finish();
  }

  #report(to: ConnectionSender, figures: Succession["figures"] | undefined): void {
    const { plane, reportTo } = this.#parts;
    this.#reports?.[Symbol.dispose]();
    this.#reports = reportTo(to, plane.drains, figures);
  }

  async #takeBack(): Promise<void> {
    const { plane, log, clock, service, openAdmin, isEnding } = this.#parts;
    this.#isSucceeded = false;
    service?.notify("ready", "serving again");
    const handedOver = this.#handedOver;
    this.#handedOver = undefined;
    await (handedOver ?? plane.serverDrain).takeBack();
    for (let i = 0; !isEnding(); i++) {
      const refused = await openAdmin();
      if (refused === undefined) return;
      if (i === adminTriesMax) return log.error(refused);
      await new Promise<void>((resolve) => void clock.startTimer(adminRetryMs, resolve));
    }
  }
}
