/** What main knows of a listener beside the part that workers get. */
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { ConfigSource } from "./config-source.ts";
import type { ScopeSubscription } from "./decoded-scope.ts";
import type { ListenerFacts } from "./listener-facts.ts";

export interface DecodedListener {
  /** What of the config main needs at once. */
  readonly facts: ListenerFacts;
  /** Decoded again if it was forgotten: whoever asks for it waits for that. */
  readonly config: ListenerConfig;
  /** The whole message as it came, for /config_dump and for comparing versions. */
  readonly bytes: Uint8Array;
  /** Hash of the message with its maps sorted: equal hashes mean equal listeners. */
  readonly hash: string;
  /** What must arrive before the listener is warm, each once. */
  readonly dependencies: readonly ListenerDependency[];
  /**
   * Clusters that inline routes name with `validate_clusters` on (its default there): all must be
   * known when the listener is added, else it is refused with `route: unknown cluster 'x'`.
   */
  readonly requiredClusters: readonly string[];
  /** The workers have the config, or will ask for it: it need not stay in memory. */
  forgetConfig?(): void;
}

/** By kind, a subscription that the listener holds as long as it lives. */
export type ListenerDependency =
  | ({ readonly kind: "rds" } & RouteSubscription)
  | ({ readonly kind: "srds" } & ScopeSubscription);

/** What tells dependencies apart, and what a warming listener says that it awaits: `rds front`. */
export function dependencyName(dependency: ListenerDependency): string {
  switch (dependency.kind) {
    case "rds":
      return `rds ${dependency.routeConfigName}`;
    case "srds":
      return `srds ${dependency.name}`;
    default:
      return dependency satisfies never;
  }
}

/** Every place that it, and what it leads to, comes from. */
export function sourcesOf(dependency: ListenerDependency): readonly ConfigSource[] {
  if (dependency.kind === "rds") return [dependency.source];
  const { scopes } = dependency;
  return scopes.kind === "srds" ? [scopes.source, scopes.rdsSource] : [];
}

export interface RouteSubscription {
  readonly routeConfigName: string;
  readonly source: ConfigSource;
  /** The connection manager's, for `http.<stat_prefix>.rds.<name>.`. */
  readonly statPrefix: string;
}
