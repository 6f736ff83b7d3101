/** What the flags say of hot restart. */
export interface HotRestartOptions {
  readonly epoch: number;
  readonly baseId: number | "dynamic";
  /** Empty: not written. */
  readonly baseIdPath: string;
  /** Begins with `@` where the names are abstract. */
  readonly socketPath: string;
  /** Of socket files. */
  readonly socketMode: number;
  /** Without a parent it starts like the first generation; otherwise it refuses. */
  readonly skipsOnNoParent: boolean;
  readonly skipsParentStats: boolean;
  /** From its drain on. */
  readonly parentShutdownMs: number;
}

export const socketPathDefault = "@envoy_domain_socket";
