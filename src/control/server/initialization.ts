/**
 * Start-up in Envoy's order: static clusters, then runtime, then dynamic clusters, and only when all of them are warm the
 * listeners, so that none serves before its clusters can. A bad push never stops it; a bad bootstrap does. Where another
 * process serves, it waits for a good one (`take-over-gate.ts`).
 */
import type { Logger } from "../../shared/common/log.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import { secretSourcesOf } from "../config/own-clusters.ts";
import { CdsApi } from "../cluster/cds-api.ts";
import { InitManager } from "../init/init-manager.ts";
import { LdsApi } from "../listener/lds-api.ts";
import type { ConfigDecoders } from "./config-decoders.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { ServerLifecycle } from "./server-phase.ts";
import type { TakeOverGate } from "./take-over-gate.ts";

export interface InitializationParts {
  readonly plane: ControlPlane;
  readonly bootstrap: BootstrapConfig;
  readonly decoders: ConfigDecoders;
  readonly lifecycle: ServerLifecycle;
  readonly gate: TakeOverGate;
  readonly log: Logger;
}

export class Initialization {
  readonly #parts: InitializationParts;
  readonly #runtime = new InitManager("RTDS");
  readonly #clusters = new InitManager("clusters");
  readonly #listeners = new InitManager("listeners");

  constructor(parts: InitializationParts) {
    this.#parts = parts;
  }

  /** What the server itself still waits for. */
  get awaiting(): readonly string[] {
    return [...this.#runtime.awaiting, ...this.#clusters.awaiting, ...this.#listeners.awaiting];
  }

  /** Resolves when all listeners are ready for the workers; with a text where the bootstrap cannot be served. */
  async run(): Promise<string | undefined> {
    const { lifecycle, log } = this.#parts;
    const staticError = this.#addStaticClusters() ?? this.#startRuntime();
    if (staticError !== undefined) return staticError;
    await ready(this.#runtime);
    this.#parts.plane.reports.start();
    const clusterError = this.#addClusters();
    if (clusterError !== undefined) return clusterError;
    await ready(this.#clusters);
    if (this.#isOver()) return undefined;
    log.info("all clusters initialized. initializing init manager");
    lifecycle.become("initializing");
    const listenerError = await this.#addListeners();
    if (listenerError !== undefined) return listenerError;
    await ready(this.#listeners);
    if (this.#isOver()) return undefined;
    log.info("all dependencies initialized. starting workers");
    return undefined;
  }

  /** Asked to end while it waited: nothing new begins. */
  #isOver(): boolean {
    return this.#parts.lifecycle.phase === "ending";
  }

  #addStaticClusters(): string | undefined {
    const { plane, bootstrap } = this.#parts;
    // A cluster that waits for a secret asks another one for it.
    const clusters = bootstrap.staticClusters.toSorted(
      (a, b) => secretSourcesOf(a).length - secretSourcesOf(b).length,
    );
    for (const cluster of clusters) {
      const error = plane.clusters.addStatic(cluster);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** Its values are there before anything is that may ask for them. */
  #startRuntime(): string | undefined {
    const { runtime } = this.#parts.plane;
    for (const { name, ready: isReady } of runtime.subscriptions)
      this.#runtime.addPromise(name, isReady);
    return runtime.start();
  }

  #addClusters(): string | undefined {
    const { plane, bootstrap, decoders, gate } = this.#parts;
    const { cds } = bootstrap.dynamicResources;
    if (cds) {
      const client = plane.sources.client(cds, decoders.clusters);
      if (typeof client === "string") return `dynamic_resources.cds_config: ${client}`;
      const { initialFetchTimeoutMs, collection } = cds;
      const options = { initialFetchTimeoutMs, collection };
      new CdsApi(client.changes$(decoders.clusters, options), plane.clusters);
      this.#clusters.addPromise(
        "CDS",
        gate.whenAnswered(client, decoders.clusters).then(() => plane.clusters.whenInitialized()),
      );
    }
    this.#clusters.addPromise("static clusters", plane.clusters.whenInitialized());
    return undefined;
  }

  async #addListeners(): Promise<string | undefined> {
    const { plane, bootstrap, decoders, gate } = this.#parts;
    for (const listener of bootstrap.staticListeners) {
      const error = await plane.listeners.addStatic(listener);
      if (error !== undefined) return `error adding listener '${listener.facts.name}': ${error}`;
    }
    const { lds } = bootstrap.dynamicResources;
    if (lds) {
      const client = plane.sources.client(lds, decoders.listeners);
      if (typeof client === "string") return `dynamic_resources.lds_config: ${client}`;
      const { initialFetchTimeoutMs, collection } = lds;
      const options = { initialFetchTimeoutMs, collection };
      const changes = client.changes$(decoders.listeners, options);
      new LdsApi(changes, plane.listeners);
      this.#listeners.addPromise(
        "LDS",
        gate.whenAnswered(client, decoders.listeners).then(() => plane.listeners.whenInitialized()),
      );
    }
    this.#listeners.addPromise("static listeners", plane.listeners.whenInitialized());
    return undefined;
  }
}

function ready(manager: InitManager): Promise<void> {
  return new Promise((resolve) => {
    manager.initialize(resolve);
  });
}
