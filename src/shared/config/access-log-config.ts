/** `access_log` entries after they were judged (docs: configuration/observability/access_log/usage). */
import type { RuntimeDefault } from "./runtime-values.ts";

export type AccessLogConfig = LineLogConfig | GrpcLogConfig;

/** Lines of text or JSON, written by the worker itself. */
export interface LineLogConfig {
  readonly kind: "line";
  readonly sink:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "stdout" }
    | { readonly kind: "stderr" };
  readonly format: AccessLogFormat;
  readonly filter: AccessLogFilter | undefined;
}

/** Entries that main sends to a service of gRPC (Envoy: `http_grpc` and `tcp_grpc`). */
export interface GrpcLogConfig {
  readonly kind: "grpc";
  /** The service, the log's name and the kind of its entries: main's text, handed back to it unread. */
  readonly destination: string;
  /** Entries are handed over this long after the first one at the latest. */
  readonly flushIntervalMs: number;
  /** Entries are handed over from about so many bytes on; 0: each at once. */
  readonly flushMinBytes: number;
  /** `http_grpc` alone: in lower case. */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly responseTrailers: readonly string[];
  readonly entryKind: GrpcLogEntryKind;
  readonly filter: AccessLogFilter | undefined;
}

/** By the logger, not by what is logged: a connection may be logged as an HTTP entry. */
export type GrpcLogEntryKind = "http" | "tcp";

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
  /** Of these statuses of gRPC, or of any other. */
  | {
      readonly kind: "grpcStatus";
      readonly statuses: readonly number[];
      readonly excludes: boolean;
    }
  | { readonly kind: "and" | "or"; readonly filters: readonly AccessLogFilter[] };
