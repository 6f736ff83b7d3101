/** How one check is made, whatever the protocol: the seam between what is decided and what is sent. */
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { SocketSecurity } from "../../xds/socket-security.ts";
import type { CheckOutcome } from "./check-state.ts";

/** Of one host. It may keep a connection from one check to the next. */
export interface Prober extends Disposable {
  /** One at a time. `onOutcome` is called once, later, and not at all when the check is disposed before. */
  probe(onOutcome: (outcome: CheckOutcome) => void): Disposable;
}

export interface ProbeTarget {
  readonly address: SocketAddress;
  /** For `host` and `:authority`, where the check itself names none. */
  readonly clusterName: string;
  /** Of the endpoint; it wins over the check's own. Empty: none. */
  readonly hostname: string;
  /** Undefined: it is spoken to in plain text. */
  readonly security: SocketSecurity | undefined;
}

export function failed(
  cause: "answer" | "network",
  reason: string,
): Extract<CheckOutcome, { kind: "failure" }> {
  return { kind: "failure", cause, reason };
}
