/**
 * What a worker asks main for because a request, or a TCP connection, needs it now (Envoy: the `on_demand` filter, and
 * `TcpProxy.on_demand`). It waits;
 * main subscribes, hands on what comes by the ordinary commands, and then says `answered`, so that whoever waits looks
 * again and finds it, or finds that there is none.
 */
export type OnDemandWant =
  /** A scope whose route configuration this worker does not have. */
  | { readonly kind: "scope"; readonly scopes: string; readonly scope: string }
  /** No virtual host of the route configuration has the host, in lower case; VHDS may know one. */
  | { readonly kind: "virtualHost"; readonly routes: string; readonly host: string }
  /** A route, or a TCP proxy, names a cluster that this worker does not have. `timeoutMs`: no longer than this; 0: for ever. */
  | {
      readonly kind: "cluster";
      readonly feed: string;
      readonly cluster: string;
      readonly timeoutMs: number;
    };

/** `timeout`: nobody knows yet, and it has been waited for long enough. */
export type WantOutcome = "answered" | "timeout";

/** One text for each thing wanted: those who want the same wait together. */
export function wantKey(want: OnDemandWant): string {
  switch (want.kind) {
    case "scope":
      return `scope\n${want.scopes}\n${want.scope}`;
    case "virtualHost":
      return `virtualHost\n${want.routes}\n${want.host}`;
    case "cluster":
      return `cluster\n${want.feed}\n${want.cluster}\n${want.timeoutMs}`;
    default:
      return want satisfies never;
  }
}
