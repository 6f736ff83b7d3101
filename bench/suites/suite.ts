import type { Command } from "../measure/pinned-process.ts";
import type { Contender, Ports } from "../proxies/proxy.ts";

/** What a suite consists of: who takes part, what they are put before, and what is measured. */
export interface Suite {
  /** By name; called for those that take part, for it may have to install them. */
  readonly contenders: Readonly<Record<string, () => Contender>>;
  readonly cases: readonly Case[];
  /** The backend, started once before every proxy, in the load's core. */
  backend(folder: string, port: number): Command;
}

export type Case = CostCase | MemoryCase;

/** CPU of the proxy, divided by what the load completed. Interleaved over proxies, many rounds. */
export interface CostCase {
  readonly kind: "cost";
  readonly name: string;
  readonly unit: "µs/request" | "µs/message" | "s/GiB" | "µs/connection";
  /** Shows that the proxy does answer, rightly, before anything is timed. */
  verify(ports: Ports): Promise<void>;
  load(folder: string, port: number, seconds: number): Command;
  /** Requests, bytes or connections, from what the load printed; throws if any failed. */
  completed(output: string): number;
}

/** How much the proxy's resident memory moves. Once per proxy, on a process of its own. */
export interface MemoryCase {
  readonly kind: "memory";
  readonly name: string;
  readonly unit: "KiB/connection" | "MiB";
  measure(port: number, residentKib: () => number): Promise<number>;
}
