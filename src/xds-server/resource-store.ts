/**
 * The resources on offer: for every client, and over that for the clients of a cluster or for one node. What is laid
 * over replaces what is below it, name by name.
 *
 * `undefined` and the empty list differ: a type that was never set is one that this server says nothing about.
 */
import type { ServedResource } from "./discovery-wire.ts";
import type { ClientNode } from "./session.ts";

type Resources = readonly ServedResource[];

/** The layer for every client. */
export const everyNode = "";

/** Of nodes and clusters with resources of their own. */
const layersMax = 1_000;

export class ResourceStore {
  /** By node id or cluster name, by type URL. */
  readonly #layers = new Map<string, Map<string, Resources>>();
  /** Layers laid over each other; emptied at every change. */
  readonly #merged = new Map<string, Resources>();

  /** Replaces all of one type; throws when there is no room for another layer. */
  set(typeUrl: string, resources: Resources, node = everyNode): void {
    let layer = this.#layers.get(node);
    if (!layer) {
      if (this.#layers.size >= layersMax)
        throw new Error(`more than ${layersMax} nodes with resources of their own`);
      layer = new Map();
      this.#layers.set(node, layer);
    }
    layer.set(typeUrl, keepingEqual(layer.get(typeUrl) ?? [], resources));
    this.#merged.clear();
  }

  /** Of one layer. */
  of(typeUrl: string, node = everyNode): Resources | undefined {
    return this.#layers.get(node)?.get(typeUrl);
  }

  /** What one client is offered. */
  offeredTo({ id, cluster }: ClientNode, typeUrl: string): Resources | undefined {
    const names = new Set([everyNode, cluster, id]);
    const layers = [...names].flatMap((name) => {
      const resources = this.of(typeUrl, name);
      return resources ? [{ name, resources }] : [];
    });
    if (layers.length < 2) return layers[0]?.resources;
    const key = JSON.stringify([typeUrl, ...layers.map(({ name }) => name)]);
    const known = this.#merged.get(key);
    if (known) return known;
    const byName = new Map<string, ServedResource>();
    for (const { resources } of layers) for (const one of resources) byName.set(one.name, one);
    const merged = [...byName.values()];
    this.#merged.set(key, merged);
    return merged;
  }

  /** Types that were ever set, in any layer. */
  typeUrls(): readonly string[] {
    return [...new Set([...this.#layers.values()].flatMap((layer) => [...layer.keys()]))];
  }

  /** The shortest life of a resource that has an end; `undefined` if all stay. */
  get shortestTtlMs(): number | undefined {
    let shortest = Infinity;
    for (const layer of this.#layers.values())
      for (const resources of layer.values())
        for (const { ttlMs = Infinity } of resources) shortest = Math.min(shortest, ttlMs);
    return Number.isFinite(shortest) ? shortest : undefined;
  }
}

/** What is equal stays the same object, so that nothing is hashed or indexed again. */
function keepingEqual(old: Resources, resources: Resources): Resources {
  const known = new Map(old.map((resource) => [resource.name, resource]));
  const kept = resources.map((resource) => {
    const before = known.get(resource.name);
    return before && isEqual(before, resource) ? before : resource;
  });
  const isSame = kept.length === old.length && kept.every((one, index) => one === old[index]);
  return isSame && kept.length > 0 ? old : kept;
}

function isEqual(a: ServedResource, b: ServedResource): boolean {
  return (
    a.typeUrl === b.typeUrl &&
    a.ttlMs === b.ttlMs &&
    a.aliases?.join() === b.aliases?.join() &&
    Buffer.compare(a.bytes, b.bytes) === 0
  );
}
