/** What a client last said about a type. */
export type Verdict =
  /** Nothing was sent yet: there was nothing to send. */
  | { readonly kind: "unsent" }
  /** Something was sent, or is held back, that is not answered. */
  | { readonly kind: "waiting" }
  | { readonly kind: "acked"; readonly version: string }
  | { readonly kind: "nacked"; readonly version: string; readonly error: string };

/** An ACK or a NACK. */
export type Answer = Extract<Verdict, { readonly kind: "acked" | "nacked" }>;
