/** A response that is decided and not yet bytes: what faults are worked on, and tests look at. */
import { writeDeltaResponse } from "./delta-wire.ts";
import { wrapped, writeDiscoveryResponse, type WrittenResource } from "./discovery-wire.ts";
import type { NextResponse } from "./type-subscription.ts";

export interface PlannedResponse extends NextResponse {
  readonly isDelta: boolean;
  readonly typeUrl: string;
  readonly nonce: string;
  /** In state of the world: the client reads resources in wrappers, which alone have room for a TTL. */
  readonly isWrapperKnown: boolean;
}

export function encodeResponse(planned: PlannedResponse): Buffer {
  if (planned.isDelta) return writeDeltaResponse(planned);
  const resources = planned.resources.map((one) => plainOf(one, planned.isWrapperKnown));
  return writeDiscoveryResponse({ ...planned, resources });
}

/** What goes into the `resources` of a response in the state of the world. */
export function plainOf(
  resource: WrittenResource,
  isWrapperKnown: boolean,
): { readonly typeUrl: string; readonly bytes: Uint8Array } {
  if (resource.ttlMs !== undefined && isWrapperKnown) return wrapped(resource);
  return { typeUrl: resource.typeUrl, bytes: resource.bytes ?? new Uint8Array() };
}
