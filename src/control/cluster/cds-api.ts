/** Clusters from xDS (Envoy: `CdsApiImpl`). Everything is decided before the push is answered; warming is not. */
import type { Observable, Subscription } from "rxjs";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { ResourceBatch } from "../xds/resource-batch.ts";
import type { ClusterManager } from "./cluster-manager.ts";

export class CdsApi implements Disposable {
  readonly #subscription: Subscription;

  constructor(
    batches: Observable<ResourceBatch<DecodedCluster>>,
    manager: Pick<ClusterManager, "apply">,
  ) {
    this.#subscription = batches.subscribe((batch) => manager.apply(batch));
  }

  [Symbol.dispose](): void {
    this.#subscription.unsubscribe();
  }
}
