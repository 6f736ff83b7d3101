/**
 * Which resources of a type stand refused, or cannot be had from the server, and since when: what is true until
 * something else is said of the name. It changes nothing; whatever was good before serves on.
 */
import type { DiscoveryResponse } from "./discovery-response.ts";
import type { RejectedResource } from "./resource-batch.ts";

export interface ResourceFailure {
  /** Refused by us, or withheld by the server (`resource_errors`). */
  readonly kind: "nacked" | "unavailable";
  readonly errors: readonly string[];
  /** Of what was refused; empty if nothing came. */
  readonly version: string;
  /** As refused; empty if nothing came. */
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
}

export interface FailureRules {
  /** The response lists everything there is: what it does not name is gone. */
  readonly isFullList: boolean;
  /** Of the empty name: whether anything of the type is wanted. */
  readonly isWanted: (name: string) => boolean;
  readonly timeMs: number;
}

const nothing = new Uint8Array(0);

export class ResourceFailures {
  readonly #byName = new Map<string, ResourceFailure>();

  get names(): Iterable<string> {
    return this.#byName.keys();
  }

  of(name: string): ResourceFailure | undefined {
    return this.#byName.get(name);
  }

  forget(name: string): void {
    this.#byName.delete(name);
  }

  clear(): void {
    this.#byName.clear();
  }

  /**
   * What a response leaves true: of what it names what it says now, of the rest what was true before. The NACK names what
   * nobody asked for too; beyond that it is not kept, for nobody would ever take it back.
   */
  note(
    response: DiscoveryResponse,
    rejected: readonly RejectedResource[],
    { isFullList, isWanted, timeMs }: FailureRules,
  ): void {
    if (isFullList) this.#byName.clear();
    this.#byName.delete("");
    if (this.#byName.size > 0) {
      for (const { name = "" } of response.resources) this.#byName.delete(name);
      for (const name of response.removedNames ?? []) this.#byName.delete(name);
    }
    for (const { name, code, message } of response.resourceErrors ?? []) {
      const errors = [`the management server cannot give it: ${message} (${code})`];
      if (isWanted(name))
        this.#byName.set(name, {
          kind: "unavailable",
          errors,
          version: "",
          bytes: nothing,
          timeMs,
        });
    }
    for (const { name, version, bytes, errors: own } of rejected) {
      if (!isWanted(name)) continue;
      const known = this.#byName.get(name);
      const errors = known?.kind === "nacked" ? [...known.errors, ...own] : own;
      this.#byName.set(name, { kind: "nacked", errors, version, bytes, timeMs });
    }
  }
}
