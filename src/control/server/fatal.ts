/**
 * The last resort: anything thrown or rejected that nobody caught ends the process, with its stack in
 * the log and within two seconds. Going on would serve with state that nobody understands.
 */
import type { Logger } from "../../shared/common/log.ts";
import { exitCodes } from "./exit-codes.ts";

/** Ends the process with the code for bugs. */
export type DieOf = (reason: string) => never;

/** The log is written synchronously, so nothing is left to be flushed before `exit`. */
export function handleFatalErrors(
  log: Logger,
  exit: (code: number) => never,
): { readonly die: DieOf } & Disposable {
  const die: DieOf = (reason) => {
    try {
      log.critical(reason);
    } finally {
      exit(exitCodes.fatal);
    }
  };
  const onException = (error: unknown): void => die(`uncaught exception: ${stackOf(error)}`);
  const onRejection = (reason: unknown): void => die(`unhandled rejection: ${stackOf(reason)}`);
  process.on("uncaughtException", onException);
  process.on("unhandledRejection", onRejection);
  return {
    die,
    [Symbol.dispose]: () => {
      process.off("uncaughtException", onException);
      process.off("unhandledRejection", onRejection);
    },
  };
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
