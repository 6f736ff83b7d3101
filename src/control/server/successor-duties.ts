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
/** Between two looks whether a connection is left; each is a few reads of shared memory. */
const emptyLookMs = 20;

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
  /** By epochs: where a Sluice that takes over listens; undefined: it is none, as far as is known. */
  #places: ReadonlySet<string> | undefined;
  /** By epochs: a Sluice, which need not ask again and again whether a connection is left. */
  #sibling: ConnectionSender | undefined;

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
    const { plane, admin } = this.#parts;
    return socketsToGive(plane.listenerSockets, admin(), holder);
  }

  takeOverBegins(): void {
    this.#parts.service?.notify("reloading", "another process takes over");
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
    // A Sluice has been given all, and says where it listens; an Envoy has asked for what it needs.
    const places = this.#places;
    const paused = this.#parts.plane.serverDrain.drainListeners({
      ...order,
      keeps: (lease) =>
        lease.isHeldBy(child) && (places?.has(formatAddress(lease.localAddress)) ?? true),
      cause: "hot-restart",
    });
    const sibling = this.#sibling;
    if (sibling) void paused.then(() => this.#tellWhenEmpty(sibling));
  }

  /** Once no worker accepts any more, so that none can come. */
  #tellWhenEmpty(sibling: ConnectionSender): void {
    if (!this.#isSucceeded || sibling.isLost) return;
    const { plane, clock } = this.#parts;
    // One that is offered to the other process is no worker's, and may come back.
    const isEmpty = this.figures().connections === 0 && !plane.listeners.hasTraffic;
    if (isEmpty) return void sibling.tell({ kind: "empty" });
    clock.startTimer(emptyLookMs, () => this.#tellWhenEmpty(sibling));
  }

  drainAndEnd(successor: ConnectionSender, pid: number): void {
    const { plane, handoverDrainMs, service, end } = this.#parts;
    this.#isSucceeded = true;
    service?.notify("ready", `process ${pid} serves`, pid);
    this.#report(successor, () => this.figures());
    plane.moves?.give(successor);
    const places = this.#placesOf(successor);
    const drain = plane.shutdownDrain.handOver(handoverDrainMs, ({ localAddress }) =>
      places.has(formatAddress(localAddress)),
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
    this.#sibling = taker;
    this.#places = this.#placesOf(taker);
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

  /** Where it listens, too. As it is now: it may be gone before all workers have paused. */
  #placesOf(successor: ConnectionSender): ReadonlySet<string> {
    const bound = this.#parts.plane.listeners.boundListeners();
    return new Set(
      bound
        .filter(({ localAddress }) => successor.hashAt(localAddress) !== undefined)
        .map(({ localAddress }) => formatAddress(localAddress)),
    );
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
    this.#places = undefined;
    this.#sibling = undefined;
    await (handedOver ?? plane.serverDrain).takeBack();
    for (let i = 0; !isEnding(); i++) {
      const refused = await openAdmin();
      if (refused === undefined) return;
      if (i === adminTriesMax) return log.error(refused);
      await new Promise<void>((resolve) => void clock.startTimer(adminRetryMs, resolve));
    }
  }
}
