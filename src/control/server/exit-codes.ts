/** What the process ends with. */
export const exitCodes = {
  clean: 0,
  /** Bad usage, bad configuration, or an environment that does not let us start. */
  refused: 1,
  /** A bug: a throw, a rejection or the death of a worker. Not 1, so that a supervisor can tell them apart. */
  fatal: 70,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
