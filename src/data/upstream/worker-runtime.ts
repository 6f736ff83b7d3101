/**
 * Runtime on one worker, for whoever asks at each request or connection. What is asked for at every connection is
 * looked up by name alone: no key is composed on the way.
 */
import {
  type RuntimeDefault,
  type RuntimeFlag,
  type RuntimeValues,
  noRuntimeValues,
  runtimeBoolean,
  runtimeInteger,
  runtimeMillionths,
} from "../../shared/config/runtime-values.ts";

/** What filters and listeners see of it. */
export interface Runtime {
  integer(wanted: RuntimeDefault): number;
  isEnabled(wanted: RuntimeFlag): boolean;
  /** A share of a million. */
  millionths(wanted: RuntimeDefault): number;
  /** Most connections of a listener at once over all workers; undefined: no limit. */
  connectionLimit(listener: string): number | undefined;
  /** Most connections accepted at once, of all listeners. */
  readonly acceptedConnectionsMax: number;
}

const limitPrefix = "envoy.resource_limits.listener.";
const limitSuffix = ".connection_limit";
/** Envoy has it as deprecated in favour of a resource monitor, and heeds it. */
const acceptedConnectionsMax = {
  runtimeKey: "overload.global_downstream_max_connections",
  otherwise: Infinity,
};

export class WorkerRuntime implements Runtime {
  #values = noRuntimeValues;
  readonly #connectionLimits = new Map<string, number>();
  #acceptedConnectionsMax = Infinity;

  set(values: RuntimeValues): void {
    this.#values = values;
    this.#acceptedConnectionsMax = this.integer(acceptedConnectionsMax);
    this.#connectionLimits.clear();
    for (const runtimeKey of values.keys()) {
      if (!runtimeKey.startsWith(limitPrefix) || !runtimeKey.endsWith(limitSuffix)) continue;
      const listener = runtimeKey.slice(limitPrefix.length, -limitSuffix.length);
      const limit = this.integer({ runtimeKey, otherwise: -1 });
      if (limit >= 0) this.#connectionLimits.set(listener, limit);
    }
  }

  integer(wanted: RuntimeDefault): number {
    return runtimeInteger(this.#values, wanted);
  }

  isEnabled(wanted: RuntimeFlag): boolean {
    return runtimeBoolean(this.#values, wanted);
  }

  millionths(wanted: RuntimeDefault): number {
    return runtimeMillionths(this.#values, wanted);
  }

  connectionLimit(listener: string): number | undefined {
    return this.#connectionLimits.get(listener);
  }

  get acceptedConnectionsMax(): number {
    return this.#acceptedConnectionsMax;
  }
}
