/** A secret as the admin shows it. Its bytes are for a dump that leaves out what is to be kept secret. */
import type { SecretKind } from "../config/secret-config.ts";

export type SecretView = {
  readonly name: string;
  readonly kind: SecretKind;
} & (
  | { readonly state: "static"; readonly bytes: Uint8Array }
  /** Asked for; there was no good one yet. Milliseconds since 1970. */
  | { readonly state: "warming"; readonly sinceMs: number }
  | {
      readonly state: "active";
      readonly version: string;
      readonly bytes: Uint8Array;
      readonly sinceMs: number;
    }
);
