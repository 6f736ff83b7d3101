/** A logger that keeps what it is told: `warning the message`. */
import type { Logger } from "../../src/shared/common/log.ts";

export function recordingLogger(): { readonly logger: Logger; readonly lines: readonly string[] } {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const logger: Logger = {
    isEnabled: () => true,
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
    critical: at("critical"),
  };
  return { logger, lines };
}
