/** A layer of runtime as the bootstrap names it, and what a layer holds. */
import type { RuntimeNumber } from "../../shared/config/runtime-values.ts";
import type { ConfigSource } from "./config-source.ts";

export type RuntimeLayer =
  | { readonly kind: "static"; readonly name: string; readonly values: RuntimeLayerValues }
  /** What `/runtime_modify` changes. */
  | { readonly kind: "admin"; readonly name: string }
  | {
      readonly kind: "disk";
      readonly name: string;
      /** A symbolic link; another that is moved into its place brings new values. */
      readonly symlinkRoot: string;
      readonly subdirectory: string;
      /** The node's cluster is one more level of the path. */
      readonly appendServiceCluster: boolean;
    }
  | {
      readonly kind: "rtds";
      readonly name: string;
      /** Name of the `envoy.service.runtime.v3.Runtime`. */
      readonly resource: string;
      readonly source: ConfigSource;
    };

/** By dotted key. */
export type RuntimeLayerValues = ReadonlyMap<string, RuntimeValue>;

export interface RuntimeValue {
  /** As it was written, to show. */
  readonly text: string;
  /** Absent: it is text alone. */
  readonly number?: RuntimeNumber;
}
