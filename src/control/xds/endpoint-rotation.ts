/**
 * Which endpoint to try next. Every endpoint of a service is tried before the next service, and an answer
 * makes the first service the one to come back to (Envoy: `GrpcMuxFailover`).
 */
import type { SocketSecurity } from "./socket-security.ts";

export interface GrpcTarget {
  /** Of the cluster, or the target URI: for people. */
  readonly name: string;
  /** `host:port` or `unix:path`; asked before each attempt, and may be empty. */
  readonly endpoints: () => readonly string[];
  /** `:authority` of the stream; the endpoint if absent. */
  readonly authority?: string;
  /** Headers of the stream. */
  readonly initialMetadata?: readonly { readonly key: string; readonly value: string }[];
  /** Absent, or undefined of an endpoint: in plain text. */
  readonly security?: (endpoint: string) => SocketSecurity | undefined;
}

export interface ChosenEndpoint {
  readonly target: GrpcTarget;
  readonly endpoint: string;
}

export class EndpointRotation {
  readonly #targets: readonly GrpcTarget[];
  #target = 0;
  /** Attempts on the present target since it was turned to. */
  #attempts = 0;
  /** Where among its endpoints to go on: one that hangs is not the first to be tried again. */
  #offset = 0;

  /** At least one. */
  constructor(targets: readonly GrpcTarget[]) {
    this.#targets = targets;
  }

  /** `undefined`: the present target has no endpoint now. */
  get current(): ChosenEndpoint | undefined {
    const target = this.#targets[this.#target];
    const endpoints = target?.endpoints() ?? [];
    const endpoint = endpoints[this.#offset % endpoints.length];
    return target && endpoint !== undefined ? { target, endpoint } : undefined;
  }

  get name(): string {
    return this.#targets[this.#target]?.name ?? "";
  }

  /** The attempt on the present endpoint failed, or its stream ended. */
  ended(hadAnswered: boolean): void {
    this.#offset++;
    if (hadAnswered) {
      this.#turnTo(0);
      return;
    }
    this.#attempts++;
    const endpoints = this.#targets[this.#target]?.endpoints() ?? [];
    if (this.#attempts >= endpoints.length) this.#turnTo((this.#target + 1) % this.#targets.length);
  }

  #turnTo(target: number): void {
    if (target !== this.#target) this.#offset = 0;
    this.#target = target;
    this.#attempts = 0;
  }
}
