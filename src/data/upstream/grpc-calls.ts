/**
 * What is counted of gRPC calls to one cluster, on one worker. Requests make the names, so main has no block for one
 * before it is asked: what is counted meanwhile is kept here, and moves into the block when that is known.
 *
 * What a newcomer would get wrong: clients make the names up. Beyond a bound their calls are counted together.
 */
import { recordHistogram, type StatBlock } from "../../shared/stats/stat-group.ts";
import { grpcCallStats } from "../../shared/stats/stat-names.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";

/** Names of one cluster; each has some forty slots in every slab. */
export const callNamesMax = 1_000;

/** Of all that are not counted apart. */
export const anyCall = "";

/** What clients speak: it stands between the cluster's name and the call's. */
export type GrpcKind = "grpc" | "grpc-web";

export interface GrpcCallsEnvironment {
  readonly slab: StatSlab;
  /** `setBlock` follows, if the cluster is still there. `prefix`: `grpc.<service>.<method>.`, behind the cluster's. */
  want(prefix: string): void;
  /** A call has no name of its own any more. */
  countOverflow(): void;
}

export class GrpcCalls {
  readonly #environment: GrpcCallsEnvironment;
  readonly #byPrefix = new Map<string, CallCounts>();
  #isRetired = false;

  constructor(environment: GrpcCallsEnvironment) {
    this.#environment = environment;
  }

  /** `name`: `<service>.<method>`, or `anyCall`. */
  of(kind: GrpcKind, name: string): CallCounts {
    const prefix = name === anyCall ? `${kind}.` : `${kind}.${name}.`;
    const known = this.#byPrefix.get(prefix);
    if (known) return known;
    if (this.#byPrefix.size >= callNamesMax && name !== anyCall) {
      this.#environment.countOverflow();
      return this.of(kind, anyCall);
    }
    const counts = new CallCounts();
    this.#byPrefix.set(prefix, counts);
    if (!this.#isRetired) this.#environment.want(prefix);
    return counts;
  }

  setBlock(prefix: string, block: StatBlock): void {
    if (!this.#isRetired) this.#byPrefix.get(prefix)?.moveTo(this.#environment.slab.values, block);
  }

  /** The cluster goes, and main may give its slots to others: calls under way count for nobody. */
  retire(): void {
    this.#isRetired = true;
    for (const counts of this.#byPrefix.values()) counts.leave();
  }
}

export class CallCounts {
  #values: Float64Array = new Float64Array(grpcCallStats.size);
  #at = 0;

  count(offset: number, amount = 1): void {
    (this.#values[this.#at + offset] as number) += amount;
  }

  record(offset: number, value: number): void {
    recordHistogram(this.#values, this.#at + offset, value);
  }

  moveTo(slab: Float64Array, block: StatBlock): void {
    if (this.#values === slab) return;
    for (const [offset, value] of this.#values.entries()) (slab[block + offset] as number) += value;
    this.#values = slab;
    this.#at = block;
  }

  leave(): void {
    this.#values = new Float64Array(grpcCallStats.size);
    this.#at = 0;
  }
}
