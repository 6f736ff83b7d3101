/** `google.protobuf.FieldMask` over JSON in proto names: keeps what the paths name, and `@type`. */
import type { Json } from "./dump-values.ts";

export type FieldMask = readonly (readonly string[])[];

/** `a.b,c`; empty or null: no mask. */
export function parseFieldMask(text: string | null): FieldMask | undefined {
  if (text === null || text === "") return undefined;
  return text.split(",").map((path) => path.split("."));
}

/** What the mask leaves; repeated fields are masked element by element, as Envoy does. */
export function applyFieldMask(json: Json, mask: FieldMask): Json {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(json)) {
    const paths = mask.filter(([first]) => first === name).map(([, ...rest]) => rest);
    if (name === "@type" || paths.some((path) => path.length === 0)) kept[name] = value;
    else if (paths.length > 0) kept[name] = maskedValue(value, paths);
  }
  return kept;
}

function maskedValue(value: unknown, mask: FieldMask): unknown {
  if (Array.isArray(value)) return value.map((element) => maskedValue(element, mask));
  return isObject(value) ? applyFieldMask(value, mask) : value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null;
}
