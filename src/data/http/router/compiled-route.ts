/** One route, compiled: what it matches, where it leads, what it changes on the way. */
import type { Random } from "../../../shared/common/random.ts";
import type {
  ClusterAction,
  FilterSwitch,
  FilterSwitches,
  OnDemandClusters,
  OnDemandOverrides,
  Route,
  RouteAction,
  RouteConfig,
  VirtualHost,
  WeightedCluster,
} from "../../../shared/config/route-config.ts";
import type { RuntimeDefault } from "../../../shared/config/runtime-values.ts";
import type { Runtime } from "../../upstream/worker-runtime.ts";
import { type CompiledMutations, compileLevels } from "../headers/header-mutations.ts";
import type { OnDemandFilter } from "../filters/http-filter.ts";
import { latin1 } from "../http1/ascii.ts";
import { HeaderName, headerValue } from "../http1/header-table.ts";
import {
  compileHeaderMatcher,
  compileQueryMatcher,
  type HeadTest,
  type TextTest,
} from "./compiled-matchers.ts";
import { compilePathMatcher } from "./path-matcher.ts";
import { compileRewrite, type Rewrite } from "./rewrite.ts";

/** What routing asks of a request. Text is made when it is asked for. */
export interface RoutedRequest {
  readonly buffer: Buffer;
  /** It asks for a tunnel and so has no path: only routes that are for CONNECT match it. */
  readonly isConnect: boolean;
  /** Without the query. */
  readonly path: string;
  /** Without the question mark; empty where there is none. */
  queryText(): string;
  authorityText(): string;
  scheme(): string;
  /** `:path`, `:method`, `:authority`, `:scheme`. */
  pseudoHeader(name: string): string | undefined;
}

/** The cluster's name for a request; undefined: the header that should name it is missing. */
type ClusterChoice = (request: RoutedRequest) => string | undefined;

/** What routes draw lots with. */
export interface RouteChance {
  readonly random: Random;
  /** May override the share of requests that a route matches. */
  readonly runtime: Pick<Runtime, "millionths">;
}

const million = 1_000_000;

export class CompiledRoute {
  readonly name: string;
  readonly virtualHostName: string;
  readonly action: RouteAction;
  readonly requestMutations: readonly CompiledMutations[];
  readonly responseMutations: readonly CompiledMutations[];
  /** Undefined: the path stays. */
  readonly rewrite: Rewrite | undefined;
  readonly chooseCluster: ClusterChoice;
  /** The line that tells the upstream how long we wait; empty where we wait for ever. */
  readonly expectedTimeoutLine: Uint8Array;
  /** The same as a number; 0: for ever. */
  readonly expectedTimeoutMs: number;
  /** It turns filters off, or on. */
  readonly hasFilterSwitches: boolean;
  /** Nearest first. */
  readonly #onDemand: OnDemandOverrides;
  readonly #switches: FilterSwitches;
  readonly #isForConnect: boolean;
  readonly #pathTest: TextTest;
  readonly #headTests: readonly HeadTest[];
  readonly #queryTests: readonly TextTest[];
  readonly #fraction: RuntimeDefault | undefined;
  readonly #chance: RouteChance;

  constructor(route: Route, host: VirtualHost, config: RouteConfig, chance: RouteChance) {
    const { match, action } = route;
    this.name = route.name;
    this.virtualHostName = host.name;
    this.action = action;
    this.#chance = chance;
    this.#isForConnect = match.path.kind === "connect";
    this.#pathTest = compilePathMatcher(match.path, match.caseSensitive);
    this.#headTests = match.headers.map(compileHeaderMatcher);
    this.#queryTests = match.queryParameters.map(compileQueryMatcher);
    this.#fraction = match.runtimeFraction;
    this.requestMutations = compileLevels([
      route.requestHeaders,
      host.requestHeaders,
      config.requestHeaders,
    ]);
    this.responseMutations = compileLevels([
      route.responseHeaders,
      host.responseHeaders,
      config.responseHeaders,
    ]);
    this.#onDemand = [route, host, config].flatMap(({ onDemand = [] }) => onDemand);
    this.#switches = [route, host, config].flatMap(({ filterSwitches = [] }) => filterSwitches);
    this.hasFilterSwitches = this.#switches.length > 0 || weightedOf(action).some(hasSwitches);
    this.rewrite = compileRewrite(action, match);
    this.chooseCluster =
      action.kind === "cluster" ? clusterChoice(action, chance.random) : noCluster;
    this.expectedTimeoutMs = expectedTimeoutMs(action);
    this.expectedTimeoutLine = latin1(
      this.expectedTimeoutMs > 0
        ? `x-envoy-expected-rq-timeout-ms: ${this.expectedTimeoutMs}\r\n`
        : "",
    );
  }

  /** Undefined: a cluster that is missing is not waited for. */
  onDemandClusters(filter: OnDemandFilter, cluster: string): OnDemandClusters | undefined {
    const weighted = weightedOf(this.action).find(({ name }) => name === cluster)?.onDemand;
    const overrides = [...(weighted ?? []), ...this.#onDemand];
    const own = overrides.find((one) => one.filter === filter.name);
    return own === undefined ? filter.clusters : own.clusters;
  }

  /** Undefined: it says nothing of it. */
  switchOf(filter: string, cluster: string): FilterSwitch | undefined {
    const weighted = weightedOf(this.action).find(({ name }) => name === cluster);
    const switches = [...(weighted?.filterSwitches ?? []), ...this.#switches];
    return switches.find((one) => one.filter === filter);
  }

  matches(request: RoutedRequest): boolean {
    if (request.isConnect !== this.#isForConnect || !this.#pathTest(request.path)) return false;
    for (const test of this.#headTests) if (!test(request)) return false;
    if (this.#queryTests.length > 0) {
      const query = request.queryText();
      for (const test of this.#queryTests) if (!test(query)) return false;
    }
    if (this.#fraction === undefined) return true;
    const { random, runtime } = this.#chance;
    return random.next() * million < runtime.millionths(this.#fraction);
  }
}

function clusterChoice({ clusters }: ClusterAction, random: Random): ClusterChoice {
  if (!isWeighted(clusters)) {
    const name = new HeaderName(clusters.header.toLowerCase());
    return (request) => headerValue(request.buffer, name);
  }
  const [only] = clusters;
  if (clusters.length === 1 && only !== undefined) return () => only.name;
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  return () => pickWeighted(clusters, random.next() * total);
}

function isWeighted(clusters: ClusterAction["clusters"]): clusters is readonly WeightedCluster[] {
  return Array.isArray(clusters);
}

function pickWeighted(clusters: readonly WeightedCluster[], point: number): string | undefined {
  let end = 0;
  for (const { name, weight } of clusters) {
    end += weight;
    if (point < end) return name;
  }
  return clusters.at(-1)?.name;
}

function noCluster(): undefined {
  return undefined;
}

/** Envoy: the shorter of the route's and each try's timeout, as far as they are set. */
function expectedTimeoutMs(action: RouteAction): number {
  if (action.kind !== "cluster") return 0;
  const { timeoutMs, retryPolicy } = action;
  const perTryMs = retryPolicy?.perTryTimeoutMs ?? 0;
  return perTryMs > 0 && (timeoutMs === 0 || perTryMs < timeoutMs) ? perTryMs : timeoutMs;
}

function weightedOf(action: RouteAction): readonly WeightedCluster[] {
  return action.kind === "cluster" && !("header" in action.clusters) ? action.clusters : [];
}

function hasSwitches({ filterSwitches }: WeightedCluster): boolean {
  return filterSwitches !== undefined;
}
