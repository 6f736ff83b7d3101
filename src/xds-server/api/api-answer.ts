/** A request of the HTTP API, and what is answered to it. */
import type { JsonValue } from "../../control/proto/yaml.ts";

export interface ApiRequest {
  readonly method: string;
  /** The parts between the slashes, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: string;
}

export type ApiAnswer =
  | { readonly kind: "json"; readonly status: number; readonly json: JsonValue }
  | { readonly kind: "text"; readonly status: number; readonly text: string }
  /** Bytes as they are, said to be JSON. */
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "unchanged" }
  /** The connection ends without an answer. */
  | { readonly kind: "cut" };

/** `undefined`: not the path of this part of the API. */
export type ApiHandler = (request: ApiRequest) => Promise<ApiAnswer> | ApiAnswer | undefined;

export function okJson(json: JsonValue): ApiAnswer {
  return { kind: "json", status: 200, json };
}

export function errorJson(status: number, errors: readonly string[]): ApiAnswer {
  return { kind: "json", status, json: { errors } };
}

export function wrongMethod(allowed: readonly string[]): ApiAnswer {
  return errorJson(405, [`only ${allowed.join(", ")} here`]);
}

const waitMsMax = 600_000;

/** `10s`, `500ms`; `undefined` where it is not asked for. Throws what is wrong with it. */
export function waitMsOf(query: URLSearchParams): number | undefined {
  const text = query.get("wait");
  if (text === null) return undefined;
  const match = /^(?<count>\d{1,9})(?<unit>ms|s)$/.exec(text)?.groups;
  const ms = Number(match?.["count"]) * (match?.["unit"] === "s" ? 1000 : 1);
  if (!match || ms > waitMsMax)
    throw new Error(`wait: '${text}' is no time up to ${waitMsMax / 1000}s, such as 10s or 500ms`);
  return ms;
}
