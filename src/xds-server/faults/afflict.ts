/**
 * What becomes of a response under the faults that it meets: the messages and acts that go out in its place. Pure, but
 * for what a stream remembers of the response before; whoever calls does the sending and the waiting.
 */
import type { Random } from "../../shared/common/random.ts";
import { encodeResponse, type PlannedResponse } from "../planned-response.ts";
import { servedTypes } from "../resource-types.ts";
import { type DeliveryKind, type Fault, isContentKind } from "./fault.ts";
import { type Item, replanned, type StreamMemory } from "./item.ts";
import { spoiled } from "./spoil.ts";

export type Outgoing =
  /** `delayMs`: since the one before it went. */
  | { readonly kind: "message"; readonly bytes: Buffer; readonly delayMs: number }
  /** The stream ends with a status. */
  | { readonly kind: "end"; readonly code: number; readonly details: string }
  | { readonly kind: "reset" }
  | { readonly kind: "goaway" }
  /** Nothing is read or sent on this stream from now on. */
  | { readonly kind: "dead" };

export interface Afflicted {
  readonly outgoing: readonly Outgoing[];
  /** To be sent after what the next response becomes. */
  readonly held: readonly Outgoing[];
}

/** What is left of a response after some faults. */
interface Course {
  readonly items: readonly Item[];
  readonly acts: readonly Outgoing[];
  readonly isHeld: boolean;
}

const statusUnavailable = 14;

/** Everything else is done by an act in place of the response, or after it. */
const deliveries: Readonly<
  Record<DeliveryKind, (course: Course, fault: Fault, memory: StreamMemory) => Course>
> = {
  drop: (course) => ({ ...course, items: [] }),
  delay: (course, { delayMs = 0 }) =>
    eachItem(course, (item) => [{ ...item, delayMs: item.delayMs + delayMs }]),
  reorder: (course) => ({ ...course, isHeld: true }),
  duplicate: (course) => eachItem(course, (item) => [item, item]),
  repeat: (course, _, memory) => eachItem(course, (item) => [item, again(item, memory)]),
  flood: (course, { count = 0 }, memory) =>
    eachItem(course, (item) => [item, ...Array.from({ length: count }, () => again(item, memory))]),
  unasked_type: (course, _, memory) => eachItem(course, (item) => [item, unasked(item, memory)]),
  half_dead: (course) => instead(course, { kind: "dead" }),
  close: (course, { code = statusUnavailable, message = "told to close" }) =>
    instead(course, { kind: "end", code, details: message }),
  reset: (course) => instead(course, { kind: "reset" }),
  goaway: (course) => ({ ...course, acts: [...course.acts, { kind: "goaway" }] }),
};

/** `held`: what an earlier response left to be sent after this one. */
export function afflict(
  planned: PlannedResponse,
  faults: readonly Fault[],
  held: readonly Outgoing[],
  { memory, random }: { readonly memory: StreamMemory; readonly random: Random },
): Afflicted {
  const whole: Item = { planned, damage: (bytes) => bytes, delayMs: 0 };
  let course: Course = { items: [whole], acts: [], isHeld: false };
  for (const fault of faults) {
    const { kind } = fault;
    if (kind === "slow") continue;
    course = isContentKind(kind)
      ? eachItem(course, (item) => [spoiled(item, kind, { fault, memory, random })])
      : deliveries[kind](course, fault, memory);
  }
  memory.lastNonce = planned.nonce;
  const outgoing = [...course.items.map(messageOf), ...course.acts];
  if (course.isHeld) return { outgoing: [], held: [...held, ...outgoing] };
  return { outgoing: [...outgoing, ...held], held: [] };
}

function messageOf({ planned, damage, delayMs }: Item): Outgoing {
  return { kind: "message", bytes: damage(encodeResponse(planned)), delayMs };
}

function eachItem(course: Course, change: (item: Item) => readonly Item[]): Course {
  return { ...course, items: course.items.flatMap(change) };
}

function instead(course: Course, act: Outgoing): Course {
  return { ...course, items: [], acts: [...course.acts, act] };
}

function again(item: Item, memory: StreamMemory): Item {
  return { ...item, planned: memory.again(item.planned) };
}

function unasked(item: Item, memory: StreamMemory): Item {
  const type = servedTypes.find(({ typeUrl }) => !memory.asked(typeUrl));
  const typeUrl = type?.typeUrl ?? "type.googleapis.com/google.protobuf.Empty";
  return replanned(item, { typeUrl, nonce: memory.freshNonce(), resources: [], removedNames: [] });
}
