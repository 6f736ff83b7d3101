/**
 * Which resource a client means by a name. By its own name or an alias; a virtual host also by any domain that it
 * serves, as `<route configuration>/<domain>`, which is what a proxy that has a request in hand asks for.
 */
import jspb from "google-protobuf";
import { eachField, type ServedResource } from "./discovery-wire.ts";
import type { ServedType } from "./resource-types.ts";

export interface ResourceIndex {
  /** By its own name alone; of several of one name the last, which is the one that a client keeps. */
  own(name: string): ServedResource | undefined;
  /** By any name that it may be asked by. */
  find(name: string): ServedResource | undefined;
}

/** Lists are replaced, never changed: each is indexed once. */
const known = new WeakMap<readonly ServedResource[], ResourceIndex>();

export function indexOf(type: ServedType, all: readonly ServedResource[]): ResourceIndex {
  const found = known.get(all);
  if (found) return found;
  const byOwnName = new Map(all.map((one) => [one.name, one]));
  const byAlias = new Map<string, ServedResource>();
  for (const one of all) for (const alias of aliasesOf(type, one)) byAlias.set(alias, one);
  const index: ResourceIndex = {
    own: (name) => byOwnName.get(name),
    find: (name) =>
      byOwnName.get(name) ??
      byAlias.get(name) ??
      (type.isOnDemand ? byWildcard(byAlias, name) : undefined),
  };
  known.set(all, index);
  return index;
}

function aliasesOf(type: ServedType, resource: ServedResource): readonly string[] {
  const { aliases = [] } = resource;
  if (!type.isOnDemand) return aliases;
  const slash = resource.name.indexOf("/");
  if (slash < 0) return aliases;
  const routeConfig = resource.name.slice(0, slash);
  return [...aliases, ...domainsOf(resource.bytes).map((domain) => `${routeConfig}/${domain}`)];
}

/** `domains` of a VirtualHost, in lower case; none if it is no such message. */
function domainsOf(bytes: Uint8Array): readonly string[] {
  const domains: string[] = [];
  try {
    eachField(new jspb.BinaryReader(bytes), (field, reader) => {
      if (field === 2) domains.push(reader.readString().toLowerCase());
      else reader.skipField();
    });
  } catch {
    return [];
  }
  return domains;
}

/** In the order of RouteConfiguration.virtual_hosts: the longest `*.suffix`, the longest `prefix.*`, then `*`. */
function byWildcard(
  byAlias: ReadonlyMap<string, ServedResource>,
  name: string,
): ServedResource | undefined {
  const slash = name.lastIndexOf("/");
  const routeConfig = name.slice(0, slash);
  const domain = name.slice(slash + 1).toLowerCase();
  const cuts = Array.from(domain, (_, index) => index);
  const patterns = [
    domain,
    ...cuts.slice(1).map((cut) => `*${domain.slice(cut)}`),
    ...cuts
      .slice(1)
      .toReversed()
      .map((cut) => `${domain.slice(0, cut)}*`),
    "*",
  ];
  for (const pattern of patterns) {
    const found = byAlias.get(`${routeConfig}/${pattern}`);
    if (found) return found;
  }
  return undefined;
}
