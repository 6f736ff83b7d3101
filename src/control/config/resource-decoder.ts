/**
 * One kind of xDS resource as this folder reads it. Structurally what `control/xds` calls a
 * `ResourceType`, which this folder may not name.
 */
import type { DecodeResult } from "../proto/decode-result.ts";

export interface ResourceDecoder<T> {
  readonly typeUrl: string;
  /** `LDS`, for logs and names of stats. */
  readonly shortName: string;
  /** In the state of the world a missing resource was removed, and one subscription covers all. */
  readonly isFullState: boolean;
  /** The wrapper names it, and its own name is of another kind. */
  readonly isNamedByWrapper?: boolean;
  /** Opens the detail of a NACK, where the type has words of its own. */
  readonly rejectionPrefix?: string;
  /** Names a resource that has none. Absent: such a one is refused. */
  nameOfUnnamed?(bytes: Uint8Array): string;
  /** Reads one resource; never throws. */
  decode(bytes: Uint8Array): DecodeResult<T>;
  /** Other bytes of the same meaning; never throws. */
  isEquivalent(held: Uint8Array, received: Uint8Array): boolean;
}
