/** Connections on their way to another process: all of one round leave for main together, by listener. */
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import type { MovedConnection } from "../../shared/protocol/moved-connection.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";

interface GivingListener {
  readonly tag: ListenerTag;
  readonly slots: Pick<ListenerSlots, "connectionCount">;
}

export class GivenConnections {
  readonly #reactor: Pick<Reactor, "atRoundEnd">;
  readonly #post: (event: WorkerEvent) => void;
  readonly #given = new Map<
    ListenerTag,
    { readonly countedAt: number; readonly connections: MovedConnection[] }
  >();

  constructor(reactor: Pick<Reactor, "atRoundEnd">, post: (event: WorkerEvent) => void) {
    this.#reactor = reactor;
    this.#post = post;
  }

  add({ tag, slots }: GivingListener, moved: MovedConnection): void {
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
