/** The last refusals by name, for `/config_dump` (Envoy: `lds_error_state_tracker_`); the next push clears them. */
import type { Listener, ListenerResource } from "./listener.ts";
import type { ListenerErrorView } from "./listener-view.ts";

export class ListenerErrors {
  readonly #errors = new Map<string, ListenerErrorView>();

  add(resource: ListenerResource, details: string): void {
    const { name } = resource.decoded.config;
    this.#errors.set(name, {
      name,
      version: resource.version,
      details,
      bytes: resource.decoded.bytes,
      lastAttemptMs: resource.wallMs,
    });
  }

  /** For one that failed long after its push was answered: it warmed and could not listen. */
  addLate(listener: Listener, details: string, wallMs: number): void {
    this.add({ decoded: listener.decoded, version: listener.version, wallMs }, details);
  }

  clear(): void {
    this.#errors.clear();
  }

  view(): readonly ListenerErrorView[] {
    return [...this.#errors.values()];
  }
}
