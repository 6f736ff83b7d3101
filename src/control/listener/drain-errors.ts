/** Why an order about a drain is refused, each with its sentence. Pure. */
import type { DrainError, DrainErrorKind } from "./drain-desk.ts";
import type { DrainView } from "./drain-view.ts";

export function unknownDrain(id: number): DrainError {
  return error("unknown", `there has been no drain ${id}`);
}

/** `endedAt`: RFC 3339; undefined: so long ago that it is not known. */
export function goneDrain(id: number, endedAt: string | undefined): DrainError {
  const when = endedAt === undefined ? "ended long ago" : `ended at ${endedAt}`;
  return error("gone", `drain ${id} ${when} and is no longer kept`);
}

export function endedDrain({ id, state, ended_at }: DrainView): DrainError {
  return error("ended", `drain ${id} ended already at ${ended_at} (${state})`);
}

export function drainElsewhere({ id, process_generation: generation }: DrainView): DrainError {
  return error(
    "elsewhere",
    `drain ${id} is of process generation ${generation}, which alone can change it`,
  );
}

export function notCancellable(id: number, reason: string): DrainError {
  return error("notCancellable", `drain ${id} cannot be cancelled: ${reason}`);
}

export function noSuchListener(name: string): DrainError {
  return error("noSuchListener", `no active listener '${name}'`);
}

export function noSuchFilterChain(listener: string, chain: string): DrainError {
  return error("noSuchFilterChain", `listener '${listener}' has no filter chain '${chain}'`);
}

export function outOfRange(text: string): DrainError {
  return error("outOfRange", text);
}

export function underWay(id: number): DrainError {
  return error("underWay", `the server drains already (drain ${id})`);
}

function error(kind: DrainErrorKind, text: string): DrainError {
  return { kind, text };
}
