/**
 * The virtual hosts of one route configuration that came by VHDS, beside those that stand in it. A resource is known by
 * its name and by aliases; under all of them it is one virtual host. A domain belongs to one virtual host.
 */
import type { VirtualHost, VirtualHostChange } from "../../shared/config/route-config.ts";

export interface DiscoveredHost {
  /** Of the resource, or an alias of it. */
  readonly name: string;
  readonly host: VirtualHost;
}

export interface AppliedHosts extends VirtualHostChange {
  /** Resources that may not be, with the reason. */
  readonly conflicts: readonly { readonly name: string; readonly message: string }[];
}

export class DiscoveredHosts {
  readonly #routes: string;
  /** Of hosts that stand in the route configuration. */
  #static: ReadonlySet<string> = new Set();
  readonly #byResource = new Map<string, VirtualHost>();
  /** By name of the virtual host, the latest last. */
  readonly #resourcesOf = new Map<string, Set<string>>();
  /** By domain, and by how many resources. */
  readonly #owners = new Map<string, { readonly name: string; resources: number }>();

  constructor(routes: string) {
    this.#routes = routes;
  }

  /** Those that no static domain contradicts, which a later version of the route configuration may. */
  get hosts(): readonly VirtualHost[] {
    const all = [...this.#resourcesOf.keys()].flatMap((name) => this.#hostOf(name) ?? []);
    return all.filter(({ domains }) => !domains.some((domain) => this.#static.has(domain)));
  }

  /** Some virtual host has it, literally. */
  hasDomain(domain: string): boolean {
    return this.#static.has(domain) || this.#owners.has(domain);
  }

  setStatic(hosts: readonly VirtualHost[]): void {
    this.#static = new Set(hosts.flatMap(({ domains }) => domains));
  }

  /**
   * What is removed or replaced goes first, so domains may change hands. Of two that want one the first gets it; what is
   * refused leaves the one before it, unless its domains are somebody else's now.
   */
  apply(changed: readonly DiscoveredHost[], removed: readonly string[]): AppliedHosts {
    const names = new Set<string>();
    const touched = [...removed, ...changed.map(({ name }) => name)];
    for (const resource of touched) names.add(this.#byResource.get(resource)?.name ?? "");
    for (const { host } of changed) names.add(host.name);
    const before = new Map([...names].map((name) => [name, this.#hostOf(name)]));
    for (const resource of removed) this.#take(resource);
    const replaced = new Map(changed.map(({ name }) => [name, this.#take(name)]));
    const conflicts = changed.flatMap(({ name, host }) => {
      const domain = this.#conflictOf(host);
      if (domain !== undefined) return { name, message: conflictText(domain, this.#routes) };
      this.#put(name, host);
      return [];
    });
    for (const { name } of conflicts) {
      const old = replaced.get(name);
      if (old && this.#conflictOf(old) === undefined) this.#put(name, old);
    }
    return { ...this.#since(before), conflicts };
  }

  #since(before: ReadonlyMap<string, VirtualHost | undefined>): VirtualHostChange {
    const now = [...before].map(([name, old]) => ({ name, old, host: this.#hostOf(name) }));
    return {
      changed: now.flatMap(({ old, host }) => (host && host !== old ? host : [])),
      removed: now.flatMap(({ name, old, host }) => (old && !host ? name : [])),
    };
  }

  #hostOf(name: string): VirtualHost | undefined {
    const latest = [...(this.#resourcesOf.get(name) ?? [])].at(-1);
    return latest === undefined ? undefined : this.#byResource.get(latest);
  }

  #take(resource: string): VirtualHost | undefined {
    const host = this.#byResource.get(resource);
    if (!host) return undefined;
    this.#byResource.delete(resource);
    const resources = this.#resourcesOf.get(host.name);
    resources?.delete(resource);
    if (resources?.size === 0) this.#resourcesOf.delete(host.name);
    for (const domain of host.domains) {
      const owner = this.#owners.get(domain);
      if (owner && --owner.resources === 0) this.#owners.delete(domain);
    }
    return host;
  }

  #put(resource: string, host: VirtualHost): void {
    const { name, domains } = host;
    this.#byResource.set(resource, host);
    const resources = this.#resourcesOf.get(name) ?? new Set();
    this.#resourcesOf.set(name, resources.add(resource));
    for (const domain of domains) {
      const owner = this.#owners.get(domain);
      if (owner) owner.resources++;
      else this.#owners.set(domain, { name, resources: 1 });
    }
  }

  /** A domain of it that belongs to another. */
  #conflictOf({ name, domains }: VirtualHost): string | undefined {
    return domains.find((domain) => {
      const owner = this.#owners.get(domain);
      return this.#static.has(domain) || (owner !== undefined && owner.name !== name);
    });
  }
}

/** In Envoy's words. */
function conflictText(domain: string, routes: string): string {
  return domain === "*"
    ? `Only a single wildcard domain is permitted in route ${routes}`
    : `Only unique values for domains are permitted. Duplicate entry of domain ${domain} in route ${routes}`;
}
