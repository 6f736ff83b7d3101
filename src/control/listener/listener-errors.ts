/**
 * What was pushed and does not serve, by name, for `/config_dump` and `/status`. Refusals are of the last push
 * (Envoy: `lds_error_state_tracker_`) and end with the next. Skips are what Envoy takes with an ACK and drops in
 * silence: the control plane does not send those again, so they stay true until the name is heard of again.
 */
import type { RejectedResource } from "../xds/resource-batch.ts";
import type { ListenerResource } from "./listener.ts";
import type { ListenerErrorView } from "./listener-view.ts";

export class ListenerErrors {
  readonly #errors = new Map<string, ListenerErrorView>();
  readonly #skips = new Map<string, ListenerErrorView>();

  add(resource: ListenerResource, details: string): void {
    const view = viewOf(resource, details);
    this.#errors.set(view.name, view);
  }

  /** One that could not even be read. */
  addUnread({ name, version, bytes, errors }: RejectedResource, wallMs: number): void {
    const details = errors.join("; ");
    this.#errors.set(name, { name, version, details, bytes, lastAttemptMs: wallMs });
  }

  skip(resource: ListenerResource, reason: string): void {
    const view = viewOf(resource, reason);
    this.#skips.set(view.name, view);
  }

  /** The name was applied, refused or removed: whatever was skipped under it is history. */
  endSkip(name: string): void {
    this.#skips.delete(name);
  }

  /** For one that failed long after its push was answered: it warmed and could not listen. */
  addLate(resource: ListenerResource, details: string, wallMs: number): void {
    this.add({ ...resource, wallMs }, details);
  }

  clear(): void {
    this.#errors.clear();
  }

  view(): readonly ListenerErrorView[] {
    return [...this.#errors.values()];
  }

  skipped(): readonly ListenerErrorView[] {
    return [...this.#skips.values()];
  }
}

function viewOf(resource: ListenerResource, details: string): ListenerErrorView {
  const { decoded, version, wallMs } = resource;
  const { name } = decoded.facts;
  return { name, version, details, bytes: decoded.bytes, lastAttemptMs: wallMs };
}
