/**
 * The life of one version of one listener, as a pure function:
 *
 *     warming ──activated──▶ active ──retired──▶ draining ──drained──▶ removed
 *        │                     │                   ⟲ deadlineMoved       ▲
 *        │                     └──superseded─────────────────────────────┤
 *        └──dropped──────────────────────────────────────────────────────┘
 *
 * It never moves backwards. An update is a new version with a state of its own; what it replaces is
 * retired (full), superseded (in place: its connections stay with the tag) or dropped (still warming).
 */
export type ListenerState =
  /** Bound, not listening. `awaiting`: what must come before it may serve; empty: it may now. */
  | { readonly kind: "warming"; readonly awaiting: ReadonlySet<string> }
  | { readonly kind: "active" }
  /** Accepts no more; what it holds may finish until the deadline (monotonic). */
  | { readonly kind: "draining"; readonly deadlineMs: number }
  | { readonly kind: "removed" };

export type ListenerEvent =
  | { readonly kind: "targetAdded"; readonly target: string }
  | { readonly kind: "targetReady"; readonly target: string }
  | { readonly kind: "activated" }
  | { readonly kind: "dropped" }
  | { readonly kind: "superseded" }
  | { readonly kind: "retired"; readonly deadlineMs: number }
  | { readonly kind: "deadlineMoved"; readonly deadlineMs: number }
  | { readonly kind: "drained" };

/** The next state, or undefined where the event has no meaning: a bug of the caller. */
export function nextState(state: ListenerState, event: ListenerEvent): ListenerState | undefined {
  switch (state.kind) {
    case "warming":
      return fromWarming(state.awaiting, event);
    case "active":
      if (event.kind === "superseded") return { kind: "removed" };
      if (event.kind !== "retired") return undefined;
      return { kind: "draining", deadlineMs: event.deadlineMs };
    case "draining":
      if (event.kind === "deadlineMoved") return { kind: "draining", deadlineMs: event.deadlineMs };
      return event.kind === "drained" ? { kind: "removed" } : undefined;
    case "removed":
      return undefined;
    default:
      return state satisfies never;
  }
}

function fromWarming(
  awaiting: ReadonlySet<string>,
  event: ListenerEvent,
): ListenerState | undefined {
  if (event.kind === "dropped") return { kind: "removed" };
  if (event.kind === "activated") return awaiting.size === 0 ? { kind: "active" } : undefined;
  if (event.kind === "targetAdded")
    return { kind: "warming", awaiting: new Set([...awaiting, event.target]) };
  if (event.kind !== "targetReady") return undefined;
  const rest = new Set(awaiting);
  rest.delete(event.target);
  return { kind: "warming", awaiting: rest };
}
