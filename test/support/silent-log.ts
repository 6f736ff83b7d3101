import { createLoggers, logComponents, logLevels } from "../../src/shared/common/log.ts";

const off = new Int32Array(logComponents.length).fill(logLevels.indexOf("off"));

export const silentLog = createLoggers(
  off,
  "main",
  () => {},
  () => 0,
)("config");
