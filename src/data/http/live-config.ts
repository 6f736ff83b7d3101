/**
 * What a connection manager reads for each request anew: its configuration of the moment, made ready. An update that
 * changes nothing else replaces it as a whole; open connections have it from their next request on.
 *
 * What a newcomer would get wrong: the one before lives on until the last request that began with it has ended. A
 * response is composed, logged and timed as the configuration said that its request began with.
 */
import type { HttpConnectionManagerConfig } from "../../shared/config/http-config.ts";
import type { RouteConfig } from "../../shared/config/route-config.ts";
import type { OnDemandWant } from "../../shared/protocol/on-demand.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { AccessLogger } from "../network/access-logger.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import type { LiveFields } from "./composer/composer-context.ts";
import {
  requestHeadersLogged,
  responseHeadersLogged,
  responseTrailersLogged,
} from "./access-log/headers-used.ts";
import { type FilterContext, HttpFilterChain } from "./filters/filter-chain.ts";
import type { OnDemandFilter } from "./filters/http-filter.ts";
import { ClientCertificates } from "./headers/client-certificate.ts";
import type { HeaderCapture } from "./headers/header-capture.ts";
import { latin1 } from "./http1/ascii.ts";
import type { Found } from "./request/request-intake.ts";
import type { RequestView } from "./request/request-view.ts";
import { noUpgrade } from "./request/upgrade.ts";
import { dropUpgrades } from "./http1/ignored-upgrades.ts";
import { compileStringMatcher, type TextTest } from "./router/compiled-matchers.ts";
import { RouteTable } from "./router/route-table.ts";
import { ScopedRouteTables } from "./router/scoped-route-tables.ts";

/** Longer ones are not asked for: a header may name them, and main keeps what was asked for. */
const clusterNameMax = 1_024;

export interface LiveConfigParts {
  readonly worker: WorkerContext;
  readonly slots: ListenerSlots;
  readonly requestCapture: HeaderCapture;
  readonly responseCapture: HeaderCapture;
  readonly trailerCapture: HeaderCapture;
}

export class LiveConfig implements LiveFields {
  readonly config: HttpConnectionManagerConfig;
  readonly filters: HttpFilterChain;
  /** Of upgrades that have their own, by types in lower case. */
  readonly #upgradeFilters = new Map<string, HttpFilterChain>();
  readonly serverLine: Uint8Array;
  readonly viaLine: Uint8Array;
  readonly clientCertificates: ClientCertificates;
  /** Undefined: no `access_log`, so nothing is captured for one. */
  readonly accessLogger: (AccessLogger & Disposable) | undefined;
  readonly #parts: LiveConfigParts;
  readonly #ignoredUpgrades: readonly TextTest[];
  readonly #routesWatch: Disposable | undefined;
  /** Undefined: routes have no scopes, and `#table` is all there is. */
  #scoped: ScopedRouteTables | undefined;
  #table: RouteTable | undefined;
  /** Requests under way that began with it. */
  #requestCount = 0;
  #isRetired = false;

  constructor(config: HttpConnectionManagerConfig, parts: LiveConfigParts) {
    const { worker, slots, requestCapture, responseCapture, trailerCapture } = parts;
    this.config = config;
    this.#parts = parts;
    const filterContext: FilterContext = {
      worker,
      slots,
      statPrefix: config.statPrefix,
      onHeadersUsed: (names) => requestCapture.want(names),
    };
    this.filters = new HttpFilterChain(config.filters, filterContext);
    for (const { type, filters } of config.upgrades)
      if (filters) this.#upgradeFilters.set(type, new HttpFilterChain(filters, filterContext));
    this.serverLine = latin1(`server: ${config.serverName}\r\n`);
    this.viaLine = latin1(config.via === "" ? "" : `via: ${config.via}\r\n`);
    this.#ignoredUpgrades = config.http1.ignoredUpgrades.map(compileStringMatcher);
    this.clientCertificates = new ClientCertificates(config.clientCert);
    if (config.accessLog.length > 0) {
      this.accessLogger = worker.createAccessLogger(config.accessLog, "downstreamEnd");
      requestCapture.want(requestHeadersLogged(config.accessLog));
      responseCapture.want(responseHeadersLogged(config.accessLog));
      trailerCapture.want(responseTrailersLogged(config.accessLog));
    }
    this.#routesWatch = this.#followRoutes();
  }

  /** Tables are compiled as requests come, and with them the headers that are to be kept. */
  get isScoped(): boolean {
    return this.#scoped !== undefined;
  }

  suppressesEnvoyHeaders(upgradeType: string): boolean {
    return this.filtersFor(upgradeType).current.suppressesEnvoyHeaders;
  }

  /** For the head that was parsed last, at this moment; undefined: there is none, and the answer is 404. */
  routeTable(view: RequestView): RouteTable | undefined {
    return this.#scoped === undefined ? this.#table : this.#scoped.tableOf(view);
  }

  /** What the request could wait for: its route, or the cluster that this leads to. */
  missing(
    view: RequestView,
    { route, cluster }: Found,
    onDemand: OnDemandFilter,
  ): OnDemandWant | undefined {
    if (route === undefined)
      return this.#scoped?.wantOf(view) ?? this.routeTable(view)?.wantOf(view);
    if (this.#parts.worker.clusters.get(cluster)) return undefined;
    if (cluster === "" || cluster.length > clusterNameMax) return undefined;
    const clusters = route.onDemandClusters(onDemand, cluster);
    return clusters && { kind: "cluster", ...clusters, cluster };
  }

  /** Of the head that was parsed last, which has an Upgrade field. */
  ignoreUpgrades(buffer: Buffer): void {
    if (this.#ignoredUpgrades.length > 0) dropUpgrades(buffer, this.#ignoredUpgrades);
  }

  /** What a request passes that is admitted to an upgrade, or asks for none; as in `upgrade.ts`. */
  filtersFor(upgradeType: string): HttpFilterChain {
    if (upgradeType === noUpgrade) return this.filters;
    return this.#upgradeFilters.get(upgradeType.toLowerCase()) ?? this.filters;
  }

  requestBegan(): void {
    this.#requestCount++;
  }

  requestEnded(): void {
    this.#requestCount--;
    this.#endIfUnused();
  }

  /** No request begins with it any more. */
  retire(): void {
    this.#isRetired = true;
    this.#endIfUnused();
  }

  #endIfUnused(): void {
    if (!this.#isRetired || this.#requestCount > 0) return;
    this.#routesWatch?.[Symbol.dispose]();
    this.filters[Symbol.dispose]();
    for (const chain of this.#upgradeFilters.values()) chain[Symbol.dispose]();
    this.#scoped?.[Symbol.dispose]();
    this.accessLogger?.[Symbol.dispose]();
  }

  #followRoutes(): Disposable | undefined {
    const { routes } = this.config;
    const { worker, requestCapture } = this.#parts;
    if (routes.kind === "scoped") {
      const keepHeaders = (names: readonly string[]): void => requestCapture.want(names);
      this.#scoped = new ScopedRouteTables(routes.config, worker, keepHeaders);
      return undefined;
    }
    if (routes.kind === "inline") {
      this.#setRoutes(routes.config);
      return undefined;
    }
    this.#setRoutes(worker.routes.get(routes.name));
    return worker.routes.watch(routes.name, (config, change) => {
      if (change && this.#table) requestCapture.want(this.#table.update(change));
      else this.#setRoutes(config);
    });
  }

  #setRoutes(config: RouteConfig | undefined): void {
    this.#table = config && new RouteTable(config, this.#parts.worker);
    if (this.#table !== undefined) this.#parts.requestCapture.want(this.#table.requestHeadersUsed);
  }
}
