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

  /** What there is under a name, but for what drains. */
  versionsOf(name: string): { readonly active?: Listener; readonly warming?: Listener } {
    const [active, warming] = [this.active.get(name), this.warming.get(name)];
    return { ...(active && { active }), ...(warming && { warming }) };
  }

  names(): Iterable<string> {
    return new Set([...this.active.keys(), ...this.warming.keys()]);
  }

  all(): readonly Listener[] {
    return [...this.warming.values(), ...this.active.values(), ...this.draining];
  }
}
