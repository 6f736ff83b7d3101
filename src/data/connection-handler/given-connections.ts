/** Connections on their way to another process: all of one round leave for main together, by listener. */
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import type { MovedConnection } from "../../shared/protocol/moved-connection.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";

export class GivenConnections {
  readonly #reactor: Pick<Reactor, "atRoundEnd">;
  readonly #post: (event: WorkerEvent) => void;
  readonly #given = new Map<ListenerTag, MovedConnection[]>();

  constructor(reactor: Pick<Reactor, "atRoundEnd">, post: (event: WorkerEvent) => void) {
    this.#reactor = reactor;
    this.#post = post;
  }

  add(tag: ListenerTag, moved: MovedConnection): void {
    if (this.#given.size === 0) this.#reactor.atRoundEnd(() => this.#send());
    this.#given.set(tag, [...(this.#given.get(tag) ?? []), moved]);
  }

  #send(): void {
    for (const [tag, connections] of this.#given)
      this.#post({ kind: "connectionsGiven", tag, connections });
    this.#given.clear();
  }
}
