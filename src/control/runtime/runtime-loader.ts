/**
 * Runtime, alive (Envoy: `LoaderImpl`): each change of a layer makes a new snapshot of all of them, whole, and tells
 * who follows. A disk layer is read again with every snapshot, whatever its cause, as in Envoy.
 */
import path from "node:path";
import { messageOf } from "../../shared/common/errors.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { RuntimeLayer, RuntimeLayerValues, RuntimeValue } from "../config/runtime-layer.ts";
import { readDiskLayer, watchSymlink } from "./disk-layer.ts";
import { RtdsApi, type RtdsLayer, type RuntimeSource } from "./rtds-api.ts";
import { type LoadedLayer, type RuntimeSnapshot, snapshotOf } from "./runtime-snapshot.ts";
import { RuntimeStats } from "./runtime-stats.ts";

/** Overrides at once by the admin; more are refused. */
const overridesMax = 10_000;

type DiskLayer = Extract<RuntimeLayer, { kind: "disk" }>;

export interface RuntimeLoaderContext {
  readonly layers: readonly RuntimeLayer[];
  /** `node.cluster`, for `append_service_cluster`. */
  readonly serviceCluster: string;
  readonly source: RuntimeSource;
  readonly valueOf: (text: string) => RuntimeValue;
  /** Called with the first snapshot too, before the constructor returns. */
  readonly onSnapshot: (snapshot: RuntimeSnapshot) => void;
  readonly stats: MainStats;
  readonly log: Logger;
}

export class RuntimeLoader implements Disposable {
  // Set once.
  readonly #context: RuntimeLoaderContext;
  readonly #stats: RuntimeStats;
  readonly #rtds: readonly RtdsApi[];
  // Changed by its layers.
  readonly #rtdsValues = new Map<RtdsLayer, RuntimeLayerValues>();
  readonly #overrides = new Map<string, RuntimeValue>();
  #watchers: Disposable[] = [];
  #snapshot: RuntimeSnapshot = snapshotOf([]);

  constructor(context: RuntimeLoaderContext) {
    this.#context = context;
    this.#stats = new RuntimeStats(context.stats);
    this.#rtds = context.layers.flatMap((layer) =>
      layer.kind === "rtds" ? [this.#rtdsApi(layer)] : [],
    );
    this.#load();
  }

  get snapshot(): RuntimeSnapshot {
    return this.#snapshot;
  }

  /** What start-up waits for, with the names of `/init_dump`. */
  get subscriptions(): readonly { readonly name: string; readonly ready: Promise<void> }[] {
    return this.#rtds.map(({ layer, ready }) => ({ name: `RTDS ${layer.resource}`, ready }));
  }

  /** Begins to watch and to subscribe; or why it cannot. */
  start(): string | undefined {
    try {
      this.#watchers = this.#context.layers.flatMap((layer) =>
        layer.kind === "disk" ? [this.#watch(layer)] : [],
      );
    } catch (thrown) {
      return `layered_runtime: ${messageOf(thrown)}`;
    }
    for (const api of this.#rtds) {
      const error = api.start();
      if (error !== undefined) return `layered_runtime: layer '${api.layer.name}': ${error}`;
    }
    return undefined;
  }

  /** `/runtime_modify`: an empty value takes an override back. The reason if nothing was changed. */
  modify(changes: ReadonlyMap<string, string>): string | undefined {
    if (!this.#context.layers.some(({ kind }) => kind === "admin"))
      return "No admin layer specified";
    if (this.#overrides.size + changes.size > overridesMax)
      return `more than ${overridesMax} overrides`;
    for (const [key, text] of changes) {
      if (text === "") this.#overrides.delete(key);
      else this.#overrides.set(key, this.#context.valueOf(text));
    }
    this.#load();
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const part of [...this.#rtds, ...this.#watchers]) part[Symbol.dispose]();
  }

  #rtdsApi(layer: RtdsLayer): RtdsApi {
    const { source, log } = this.#context;
    const onValues = (values: RuntimeLayerValues): void => {
      this.#rtdsValues.set(layer, values);
      this.#load();
    };
    return new RtdsApi(layer, { source, log, onValues });
  }

  #watch({ symlinkRoot }: DiskLayer): Disposable {
    const watcher = watchSymlink(
      symlinkRoot,
      () => this.#load(),
      (reason) => this.#context.log.warning(`runtime: ${reason}`),
    );
    return { [Symbol.dispose]: () => watcher.close() };
  }

  #load(): void {
    const errors: string[] = [];
    const { layers, log, onSnapshot } = this.#context;
    const loaded = layers.flatMap((layer) => this.#loadLayer(layer, errors) ?? []);
    this.#snapshot = snapshotOf(loaded);
    for (const error of errors) log.warning(`error loading runtime values: ${error}`);
    this.#stats.loaded({
      keys: this.#snapshot.entries.size,
      layers: loaded.length,
      diskLayers: layers.filter(
        ({ kind, name }) => kind === "disk" && loaded.some((each) => each.name === name),
      ).length,
      hasAdminOverrides: this.#overrides.size > 0,
      isComplete: errors.length === 0,
    });
    onSnapshot(this.#snapshot);
  }

  #loadLayer(layer: RuntimeLayer, errors: string[]): LoadedLayer | undefined {
    const { name } = layer;
    switch (layer.kind) {
      case "static":
        return { name, values: layer.values };
      case "admin":
        return { name, values: new Map(this.#overrides) };
      case "rtds":
        return { name, values: this.#rtdsValues.get(layer) ?? new Map() };
      case "disk": {
        const result = readDiskLayer(this.#folderOf(layer), this.#context.valueOf);
        if (result.kind === "read") return { name, values: result.values };
        if (result.kind === "failed") errors.push(result.error);
        return undefined;
      }
      default:
        return layer satisfies never;
    }
  }

  #folderOf({ symlinkRoot, subdirectory, appendServiceCluster }: DiskLayer): string {
    const { serviceCluster } = this.#context;
    return path.join(symlinkRoot, subdirectory, appendServiceCluster ? serviceCluster : "");
  }
}
