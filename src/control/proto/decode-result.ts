/** The outcome of reading a resource: its value, or every reason against it at once. */
export type DecodeResult<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly ConfigWarning[] }
  | { readonly ok: false; readonly errors: readonly string[] };

/** A set field that is accepted and not honoured; counted in `sluice.config.unsupported_fields`. */
export interface ConfigWarning {
  /** `envoy.config.listener.v3.Listener.freebind`. */
  readonly field: string;
  readonly reason: string;
}
