/**
 * The ways in which the server can be told to misbehave, each once, a number of times, or until cleared. A list of
 * faults is data: it comes as JSON, and each is applied to the responses that it names.
 */
import type { ReadResult } from "../../control/proto/binary.ts";
import type { JsonObject, JsonValue } from "../../control/proto/yaml.ts";
import { servedTypeNamed } from "../resource-types.ts";

/** What can become of a response on its way. */
const deliveryKinds = {
  drop: "is not sent, though the server believes so",
  delay: "is sent late, and what comes behind it too (delay_ms)",
  reorder: "is sent after the next one of its stream",
  duplicate: "is sent twice, under one nonce",
  repeat: "is sent twice, under two nonces",
  flood: "is sent many times, each under a nonce of its own (count)",
  unasked_type: "is followed by one of a type that nobody asked for",
  half_dead: "is not sent, and nothing on its stream is read any more",
  close: "is not sent: its stream ends with a status (code, message)",
  reset: "is not sent: its connection is reset",
  goaway: "is followed by a GOAWAY on every connection",
} as const;

/** What can be wrong with what it says, or with its bytes. */
const contentKinds = {
  wrong_nonce: "has a nonce that the server does not know",
  reused_nonce: "has the nonce of the response before it",
  wrong_type_url: "says that it is of another type",
  other_any: "has a first resource of another type",
  duplicate_names: "has its first resource twice",
  misnamed: "has a first resource whose name is not the one asked for",
  invalid_content: "has a first resource that breaks a rule of its message",
  broken_resource: "has a first resource whose bytes end in the middle",
  huge_resource: "has a first resource with a field that says it is 1 GiB long",
  non_utf8_name: "has a first resource whose name is no UTF-8",
  deep_nesting: "has a first resource that nests groups 100,000 deep",
  truncate: "is cut short (bytes)",
  garbage: "is no protobuf at all",
  huge_length: "ends with a field that says it is 1 GiB long",
} as const;

/** Every kind, with what it does to a response. */
export const faultKinds = {
  ...deliveryKinds,
  ...contentKinds,
  slow: "trickles (bytes_per_s), on connections that are opened while this fault is there",
} as const;

export type DeliveryKind = keyof typeof deliveryKinds;
export type ContentKind = keyof typeof contentKinds;
export type FaultKind = keyof typeof faultKinds;

export function isContentKind(kind: FaultKind): kind is ContentKind {
  return Object.hasOwn(contentKinds, kind);
}

export interface Fault {
  readonly kind: FaultKind;
  /** Absent: of all types. */
  readonly typeUrl?: string;
  /** Node id; absent: of all nodes. */
  readonly node?: string;
  /** Responses that it is applied to; absent: until cleared. */
  readonly times?: number;
  readonly delayMs?: number;
  readonly count?: number;
  /** What is left of a response that is cut short. */
  readonly bytes?: number;
  readonly bytesPerS?: number;
  readonly code?: number;
  readonly message?: string;
}

const faultsMax = 100;

/** Name, most, and where it goes. */
const numbers = {
  times: [1_000_000, "times"],
  delay_ms: [600_000, "delayMs"],
  count: [10_000, "count"],
  bytes: [1 << 30, "bytes"],
  bytes_per_s: [1 << 30, "bytesPerS"],
  code: [16, "code"],
} as const;

const needed: Readonly<Partial<Record<FaultKind, keyof typeof numbers>>> = {
  delay: "delay_ms",
  flood: "count",
  slow: "bytes_per_s",
};

/** One error for each mistake, with its place in the list. */
export function readFaults(json: JsonValue): ReadResult<readonly Fault[]> {
  if (!Array.isArray(json)) return { ok: false, errors: ["faults must be a list"] };
  if (json.length > faultsMax) return { ok: false, errors: [`more than ${faultsMax} faults`] };
  const reads = (json as readonly JsonValue[]).map((one, index) => readFault(one, `[${index}]`));
  const errors = reads.flatMap((read) => (read.ok ? [] : read.errors));
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, value: reads.flatMap((read) => (read.ok ? [read.value] : [])) };
}

export function faultJson(fault: Fault): JsonObject {
  const { kind, typeUrl, node, message } = fault;
  const values = Object.entries(numbers).flatMap(([name, [, field]]) => {
    const value = fault[field];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    kind,
    ...(typeUrl !== undefined && { type: typeUrl }),
    ...(node !== undefined && { node }),
    ...(message !== undefined && { message }),
    ...Object.fromEntries(values),
  };
}

function readFault(json: JsonValue, place: string): ReadResult<Fault> {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    return { ok: false, errors: [`${place}: a fault is a mapping with a kind`] };
  const errors: string[] = [];
  const fault: { -readonly [key in keyof Fault]?: Fault[key] } = {};
  for (const [key, value] of Object.entries(json as JsonObject)) {
    const error = readField(fault, key, value);
    if (error !== undefined) errors.push(`${place}.${key}: ${error}`);
  }
  const { kind } = fault;
  if (kind === undefined) {
    if (!("kind" in json)) errors.push(`${place}.kind: is required`);
    return { ok: false, errors };
  }
  const missing = needed[kind];
  if (missing !== undefined && !(missing in json))
    errors.push(`${place}.${missing}: ${kind} needs it`);
  return errors.length > 0 ? { ok: false, errors } : { ok: true, value: { ...fault, kind } };
}

/** Puts one field into the fault; gives what is wrong with it. */
function readField(
  fault: { -readonly [key in keyof Fault]?: Fault[key] },
  key: string,
  value: JsonValue,
): string | undefined {
  if (key in numbers) {
    const [most, field] = numbers[key as keyof typeof numbers];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most)
      return `must be a whole number up to ${most}`;
    fault[field] = value;
    return undefined;
  }
  if (typeof value !== "string") return "must be text";
  if (key === "node" || key === "message") fault[key] = value;
  else if (key === "kind") {
    if (!Object.hasOwn(faultKinds, value))
      return `unknown kind '${value}'; there are ${Object.keys(faultKinds).join(", ")}`;
    fault.kind = value as FaultKind;
  } else if (key === "type") {
    const type = servedTypeNamed(value);
    if (!type) return `unknown type '${value}'; say LDS, listeners or a type URL`;
    fault.typeUrl = type.typeUrl;
  } else return "no such field";
  return undefined;
}
