/**
 * Where every listener is. Envoy's rule: being moved between these sets is the transition, and gauges are their
 * sizes. A version is in one of them at most; names are unique in the first two, any number may drain.
 */
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { Listener } from "./listener.ts";

export class ListenerSets {
  readonly warming = new Map<string, Listener>();
  readonly active = new Map<string, Listener>();
  readonly draining = new Set<Listener>();
  /** What workers hold under a tag: the active or draining version that they were told of last. */
  readonly held = new Map<ListenerTag, Listener>();

  all(): readonly Listener[] {
    return [...this.warming.values(), ...this.active.values(), ...this.draining];
  }
}
