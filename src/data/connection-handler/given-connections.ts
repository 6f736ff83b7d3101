/**
 * Connections on their way to another process. They are asked some at a time, so that nobody else waits long while there
 * are thousands; all that left in one round go to main together, by listener.
 */
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import { TimerSlot } from "../../shared/io/timer-wheel.ts";
import type { MovedConnection } from "../../shared/protocol/moved-connection.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";

/** At a time: a few milliseconds. The rest follow after a tick of the timers each. */
const askedMax = 500;

interface GivingListener {
  readonly tag: ListenerTag;
  readonly slots: Pick<ListenerSlots, "connectionCount">;
  movableConnections(): readonly GivingConnection[];
}

interface GivingConnection {
  /** No-op once it has ended. */
  giveAway(give: (moved: MovedConnection) => void): void;
}

interface Asking {
  readonly listener: GivingListener;
  readonly connections: readonly GivingConnection[];
  at: number;
}

export class GivenConnections implements Disposable {
  readonly #reactor: Pick<Reactor, "atRoundEnd" | "timers">;
  readonly #post: (event: WorkerEvent) => void;
  readonly #given = new Map<
    ListenerTag,
    { readonly countedAt: number; readonly connections: MovedConnection[] }
  >();
  /** In the order in which they were wanted. */
  readonly #askings = new Map<ListenerTag, Asking>();
  readonly #timer = new TimerSlot({ onTimer: () => this.#askSome() });

  constructor(reactor: Pick<Reactor, "atRoundEnd" | "timers">, post: (event: WorkerEvent) => void) {
    this.#reactor = reactor;
    this.#post = post;
  }

  [Symbol.dispose](): void {
    this.#askings.clear();
    this.#reactor.timers.cancel(this.#timer);
  }

  /** All that the listener has now. No-op while it is being asked. */
  ask(listener: GivingListener): void {
    if (this.#askings.has(listener.tag)) return;
    const isFirst = this.#askings.size === 0;
    this.#askings.set(listener.tag, {
      listener,
      connections: listener.movableConnections(),
      at: 0,
    });
    if (isFirst) this.#askSome();
  }

  #askSome(): void {
    let left = askedMax;
    for (const [tag, asking] of this.#askings) {
      const { listener, connections, at } = asking;
      asking.at = Math.min(connections.length, at + left);
      left -= asking.at - at;
      if (asking.at === connections.length) this.#askings.delete(tag);
      for (const connection of connections.slice(at, asking.at))
        connection.giveAway((moved) => this.#add(listener, moved));
      if (left === 0) break;
    }
    if (this.#askings.size > 0) this.#reactor.timers.arm(this.#timer, 1);
  }

  #add({ tag, slots }: GivingListener, moved: MovedConnection): void {
    if (this.#given.size === 0) this.#reactor.atRoundEnd(() => this.#send());
    const known = this.#given.get(tag);
    if (known) known.connections.push(moved);
    else this.#given.set(tag, { countedAt: slots.connectionCount, connections: [moved] });
  }

  #send(): void {
    for (const [tag, given] of this.#given) this.#post({ kind: "connectionsGiven", tag, ...given });
    this.#given.clear();
  }
}
