/**
 * Listeners from xDS (Envoy: `LdsApiImpl`). xDS knows names and bytes; that an absent listener is removed and
 * that a bad one does not stop the good ones is the manager's. The answer to the control plane waits
 * until every listener of the push is decided.
 */
import type { Observable, Subscription } from "rxjs";
import type { DecodedListener } from "../config/decoded-listener.ts";
import type { ResourceBatch } from "../xds/resource-batch.ts";
import type { ListenerManager } from "./listener-manager.ts";

export class LdsApi implements Disposable {
  readonly #subscription: Subscription;

  constructor(
    batches: Observable<ResourceBatch<DecodedListener>>,
    manager: Pick<ListenerManager, "apply">,
    afterPush: (changedCount: number) => void = () => {},
  ) {
    this.#subscription = batches.subscribe((batch) => {
      batch.waitFor(manager.apply(batch).finally(() => afterPush(batch.changed.length)));
    });
  }

  [Symbol.dispose](): void {
    this.#subscription.unsubscribe();
  }
}
