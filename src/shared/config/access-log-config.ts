/** An access log after its format string was parsed (docs: configuration/observability/access_log/usage). */
import type { RuntimeDefault } from "./runtime-values.ts";

export interface AccessLogConfig {
  readonly sink:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "stdout" }
    | { readonly kind: "stderr" };
  readonly format: AccessLogFormat;
  readonly filter: AccessLogFilter | undefined;
}

export type AccessLogFormat =
  | { readonly kind: "text"; readonly parts: readonly AccessLogPart[] }
  | {
      readonly kind: "json";
      readonly fields: AccessLogJsonObject;
      readonly omitEmptyValues: boolean;
    };

export interface AccessLogJsonObject {
  readonly [key: string]: readonly AccessLogPart[] | AccessLogJsonObject;
}

export type AccessLogPart =
  | { readonly kind: "literal"; readonly text: string }
  | {
      readonly kind: "operator";
      /** Upper case, without the percent signs: `REQ`, `RESPONSE_CODE`, `START_TIME`. */
      readonly name: string;
      /** What stood in parentheses, split as the operator wants it. */
      readonly args: readonly string[];
      /** `:N` after it: longest output in characters. */
      readonly maxLength: number | undefined;
    };

type Comparison = "eq" | "ge" | "le" | "ne";

export type AccessLogFilter =
  | { readonly kind: "statusCode"; readonly op: Comparison; readonly value: RuntimeDefault }
  | { readonly kind: "duration"; readonly op: Comparison; readonly valueMs: RuntimeDefault }
  | { readonly kind: "responseFlag"; readonly flags: readonly string[] }
  | { readonly kind: "notHealthCheck" }
  | { readonly kind: "and" | "or"; readonly filters: readonly AccessLogFilter[] };
