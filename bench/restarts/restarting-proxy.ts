/** A program whose processes follow each other at the same addresses, however it brings that about. */
export interface RestartingProxy extends AsyncDisposable {
  /** Resolves when the new process serves. */
  restart(): Promise<void>;
  /** Resolves when the old ones have gone. */
  alone(): Promise<void>;
}

/** How long an old process may take: the same for all. */
export const lastTimes = { drainS: 3, endS: 5 } as const;
