/**
 * The way of an HTTP/1 connection to another process: idle as it is; amid a tunnel (`upgrade.ts`) together with the
 * connection to the host, when nothing is queued for either. Where something is, neither is read for a while, so that it
 * drains; if that does not come about both go on here, and may be asked again.
 *
 * What a newcomer would get wrong: a queue that is full holds up its own peer. Two that wait for each other would wait for
 * ever, which is why nobody is held for long.
 */
import type { Reactor } from "../../../shared/io/reactor.ts";
import { TimerSlot } from "../../../shared/io/timer-wheel.ts";
import type { MovedConnection } from "../../../shared/protocol/moved-connection.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import type { ConnectionLife } from "../connection-life.ts";
import type { ActiveRequest } from "../request/active-request.ts";

/** Of looks at what is queued. */
const lookEveryMs = 10;
const looksMax = 10;

/** The connection, as it goes. */
export interface LeavingConnection {
  readonly life: ConnectionLife;
  /** Between requests, with nothing kept of the next one. */
  isIdle(): boolean;
  /** The request of which nothing but bytes is to come, if it is that. */
  tunnel(): ActiveRequest | undefined;
  /** Neither side of the tunnel is read; or both are, as before. */
  hold(isHeld: boolean): void;
  /** It is another process's. */
  onMoved(): void;
}

type Give = (moved: MovedConnection) => void;

export class MovingConnection {
  readonly #reactor: Reactor;
  readonly #connection: DownstreamConnection;
  readonly #leaving: LeavingConnection;
  readonly #timer = new TimerSlot({ onTimer: () => this.#look() });
  /** Undefined: nobody has asked. */
  #give: Give | undefined;
  #looksLeft = 0;

  constructor(connection: DownstreamConnection, leaving: LeavingConnection) {
    this.#reactor = connection.reactor;
    this.#connection = connection;
    this.#leaving = leaving;
  }

  ask(give: Give): void {
    if (this.#give !== undefined) return;
    if (this.#leaving.isIdle()) return this.#giveIdle(give);
    this.#give = give;
    this.#looksLeft = looksMax;
    // In the middle of a round the request may be busy with this very call.
    this.#reactor.atRoundEnd(() => this.#look());
  }

  /** The connection has ended, or has moved. */
  cancel(): void {
    this.#give = undefined;
    this.#reactor.timers.cancel(this.#timer);
  }

  /** Also one that was told to drain: its client has not heard of it yet. */
  #giveIdle(give: Give): void {
    const { life } = this.#leaving;
    if (!life.isMovable) return;
    const descriptor = this.#connection.socket.detach();
    if (descriptor === undefined) return;
    life.onMovedAway();
    this.#leaving.onMoved();
    give({ kind: "idle", descriptor, ageMs: this.#ageMs, requests: life.requestCount });
  }

  #look(): void {
    const give = this.#give;
    const request = this.#leaving.tunnel();
    if (give === undefined) return;
    if (request !== undefined && !this.#leave(request, give) && this.#looksLeft-- > 0) {
      this.#leaving.hold(true);
      this.#reactor.timers.arm(this.#timer, lookEveryMs);
      return;
    }
    this.#give = undefined;
    this.#leaving.hold(false);
  }

  /** False: not yet. What can never leave is given up. */
  #leave(request: ActiveRequest, give: Give): boolean {
    const told = request.tell();
    if (told === undefined) return true;
    const { tunnel } = told;
    const pair = this.#connection.socket.detachWith(tunnel.socket);
    if (!pair) return false;
    const { bytesReceived, bytesSent } = request.info;
    const { life } = this.#leaving;
    request.leave();
    life.onMovedAway();
    this.#leaving.onMoved();
    give({
      kind: "upgraded",
      descriptor: pair[0],
      upstream: pair[1],
      ageMs: this.#ageMs,
      upstreamAgeMs: this.#reactor.nowMs - tunnel.startMs,
      cluster: tunnel.host.cluster.config.name,
      host: tunnel.host.config.address,
      bytesReceived,
      bytesSent,
      isTooOld: life.isTooOld,
      request: told.request,
    });
    return true;
  }

  get #ageMs(): number {
    return this.#reactor.nowMs - this.#connection.startMs;
  }
}
