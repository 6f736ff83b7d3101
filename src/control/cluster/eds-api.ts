/**
 * The hosts of an EDS cluster (Envoy: `EdsClusterImpl`). The first answer of any kind makes the cluster warm:
 * refused, or none in time, means no hosts for now, never a cluster that warms for ever. Later on only a good
 * assignment changes anything.
 */
import type { Subscription } from "rxjs";
import type { HostConfig, LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { ResourceState } from "../xds/resource-batch.ts";
import type { AssignmentView } from "./cluster-view.ts";
import { hostsOf } from "./host-list.ts";
import type { EndpointSource, EndpointSubscription, HostSource } from "./host-source.ts";

export interface EdsContext {
  readonly endpoints: EndpointSource;
  readonly onHosts: (hosts: readonly HostConfig[]) => void;
}

export class EdsHosts implements HostSource {
  readonly #wanted: EndpointSubscription;
  readonly #context: EdsContext;
  #subscription: Subscription | undefined;
  #hasAnswer = false;
  #assignment: AssignmentView | undefined;

  constructor(wanted: EndpointSubscription, context: EdsContext) {
    this.#wanted = wanted;
    this.#context = context;
  }

  get awaiting(): readonly string[] {
    return this.#hasAnswer ? [] : [`eds ${this.#wanted.serviceName}`];
  }

  get assignment(): AssignmentView | undefined {
    return this.#assignment;
  }

  start(): void {
    this.#subscription = this.#context
      .endpoints(this.#wanted)
      .subscribe((state) => this.#onState(state));
  }

  [Symbol.dispose](): void {
    this.#subscription?.unsubscribe();
  }

  #onState(state: ResourceState<LoadAssignment>): void {
    if (state.kind === "requested") return;
    const isFirst = !this.#hasAnswer;
    this.#hasAnswer = true;
    if (state.kind === "present") {
      const { version, bytes, value } = state.resource;
      this.#assignment = { version, bytes };
      this.#context.onHosts(hostsOf(value));
    } else if (isFirst) this.#context.onHosts([]);
  }
}
