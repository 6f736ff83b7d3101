import type { Logger } from "../../src/shared/common/log.ts";

const silent = (): void => {};

/** For tests that do not read the log. */
export const silentLogger: Logger = {
  isEnabled: () => false,
  trace: silent,
  debug: silent,
  info: silent,
  warning: silent,
  error: silent,
  critical: silent,
};
