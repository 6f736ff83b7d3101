/**
 * One RTDS layer (Envoy: `RtdsSubscription`): its values are those of one Runtime resource. Until the first answer,
 * or its timeout, start-up waits; a refused resource leaves what was before it, a removed one leaves nothing.
 */
import type { Observable, Subscription } from "rxjs";
import type { Logger } from "../../shared/common/log.ts";
import type { RuntimeLayer, RuntimeLayerValues } from "../config/runtime-layer.ts";
import type { ResourceState } from "../xds/resource-batch.ts";

export type RtdsLayer = Extract<RuntimeLayer, { kind: "rtds" }>;

/** Where Runtime resources come from; a text where nobody serves them. */
export type RuntimeSource = (
  layer: RtdsLayer,
) => Observable<ResourceState<RuntimeLayerValues>> | string;

export interface RtdsContext {
  readonly source: RuntimeSource;
  readonly log: Logger;
  readonly onValues: (values: RuntimeLayerValues) => void;
}

const nothing: RuntimeLayerValues = new Map();

export class RtdsApi implements Disposable {
  readonly layer: RtdsLayer;
  readonly #context: RtdsContext;
  readonly #ready = Promise.withResolvers<void>();
  #subscription: Subscription | undefined;

  constructor(layer: RtdsLayer, context: RtdsContext) {
    this.layer = layer;
    this.#context = context;
  }

  /** Resolves at the first answer of any kind. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Begins; or why it cannot. */
  start(): string | undefined {
    const states = this.#context.source(this.layer);
    if (typeof states === "string") return states;
    this.#subscription = states.subscribe((state) => this.#onState(state));
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#subscription?.unsubscribe();
  }

  #onState(state: ResourceState<RuntimeLayerValues>): void {
    const { log, onValues } = this.#context;
    const { resource: name } = this.layer;
    switch (state.kind) {
      case "requested":
        return;
      case "present":
        onValues(state.resource.value);
        log.info(`rtds: runtime '${name}' version '${state.resource.version}' is loaded`);
        break;
      case "absent":
        if (state.reason === "removed") onValues(nothing);
        log.warning(`rtds: runtime '${name}' is absent (${state.reason})`);
        break;
      case "rejected":
        log.warning(`rtds: runtime '${name}' is refused: ${state.errors.join("; ")}`);
        break;
      default:
        state satisfies never;
    }
    this.#ready.resolve();
  }
}
