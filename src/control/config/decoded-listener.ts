/** What main knows of a listener beside the part that workers get. */
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { ConfigSource } from "./config-source.ts";
import type { ExtensionSubscription } from "./extension-subscription.ts";
import { type SecretReference, secretId } from "./secret-config.ts";
import type { ScopeSubscription } from "./decoded-scope.ts";
import type { ListenerFacts } from "./listener-facts.ts";
import { type DownstreamTlsConfig, downstreamSecrets, referencesOf } from "./tls-config.ts";

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
  | { readonly kind: "sds"; readonly secret: SecretReference }
  /** Of a filter chain: its secrets, and what is made of them. */
  | { readonly kind: "tls"; readonly config: DownstreamTlsConfig }
  | { readonly kind: "ecds"; readonly subscription: ExtensionSubscription }
  | ({ readonly kind: "srds" } & ScopeSubscription)
  | ClusterFeedDependency;

/** Clusters may be asked for on demand: nothing is waited for, but the place is held. */
export interface ClusterFeedDependency {
  readonly kind: "odcds";
  readonly feed: string;
  /** What the feed says; undefined: the authorities of clusters' names say it. */
  readonly source: ConfigSource | undefined;
}

/** What a filter asks of the listener that holds it. */
export interface ListenerNeeds {
  readonly dependencies: ListenerDependency[];
  readonly requiredClusters: string[];
}

/** For people: `rds front`. */
export function dependencyName(dependency: ListenerDependency): string {
  switch (dependency.kind) {
    case "rds":
      return `rds ${dependency.routeConfigName}`;
    case "sds":
      return `sds ${dependency.secret.name}`;
    case "tls": {
      const names = tlsReferences(dependency.config).map(({ name }) => name);
      return `sds ${names.join(", ")}`;
    }
    case "ecds":
      return `ecds ${dependency.subscription.name}`;
    case "srds":
      return `srds ${dependency.name}`;
    case "odcds":
      return "odcds";
    default:
      return dependency satisfies never;
  }
}

/** Every place that it, and what it leads to, comes from; undefined: the bootstrap has it. */
export function sourcesOf(dependency: ListenerDependency): readonly (ConfigSource | undefined)[] {
  switch (dependency.kind) {
    case "rds":
    case "odcds":
      return [dependency.source];
    case "sds":
      return [dependency.secret.source];
    case "tls":
      return tlsReferences(dependency.config).map(({ source }) => source);
    case "ecds":
      return [dependency.subscription.source];
    case "srds": {
      const { scopes } = dependency;
      return scopes.kind === "srds" ? [scopes.source, scopes.rdsSource] : [];
    }
    default:
      return dependency satisfies never;
  }
}

function tlsReferences(config: DownstreamTlsConfig): readonly SecretReference[] {
  return referencesOf(downstreamSecrets(config));
}

/** What a warming listener says that it awaits, for each dependency: names, and a number where two have the same. */
export function dependencyTargets(dependencies: readonly ListenerDependency[]): readonly string[] {
  const seen = new Map<string, number>();
  return dependencies.map((dependency) => {
    const name = dependencyName(dependency);
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} #${count}`;
  });
}

/** Two filters may share one: it is fetched once. A name means something within its source only. */
export function uniqueDependencies(
  dependencies: readonly ListenerDependency[],
): readonly ListenerDependency[] {
  return [...new Map(dependencies.map((one) => [keyOf(one), one])).values()];
}

function keyOf(dependency: ListenerDependency): string {
  switch (dependency.kind) {
    case "rds":
    case "srds":
      return dependencyName(dependency);
    case "sds":
      return secretId(dependency.secret);
    case "tls":
      return `tls ${dependency.config.id}`;
    case "odcds":
      return `odcds ${dependency.feed}`;
    case "ecds":
      // Two filters may want one configuration and say of it what differs.
      return JSON.stringify(dependency);
    default:
      return dependency satisfies never;
  }
}

export interface RouteSubscription {
  readonly routeConfigName: string;
  readonly source: ConfigSource;
  /** The connection manager's, for `http.<stat_prefix>.rds.<name>.`. */
  readonly statPrefix: string;
}
