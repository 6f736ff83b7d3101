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
  ) {
    this.#subscription = batches.subscribe((batch) => {
      batch.waitFor(manager.apply(batch));
    });
  }

  [Symbol.dispose](): void {
    this.#subscription.unsubscribe();
  }
}
