/**
 * The door to what secrets are read from: files, their folders, the environment. Reading is synchronous: a
 * certificate is a few kilobytes, and a push is judged in one go.
 */
import { closeSync, openSync, readFileSync, statSync, watch } from "node:fs";
import { getSystemErrorMessage } from "node:util";

/** The bundle of all CAs of the web has 250 KB. */
const fileBytesMax = 16 << 20;

export interface SecretFiles {
  /** Throws where there is none, it cannot be read, or it has more than 16 MiB. */
  read(path: string): Uint8Array;
  /** What is in the way of adding to the file, in Envoy's words; undefined: it can be, and is there now. */
  appendError(path: string): string | undefined;
  environment(name: string): string | undefined;
  /**
   * Calls with the name of whatever is moved in, out of or within the folder, from then on. Throws where there is no
   * such folder.
   */
  watch(folder: string, onMoved: (name: string) => void): Disposable;
}

/** `environment`: the process's. */
export function systemFiles(
  environment: Readonly<Record<string, string | undefined>>,
): SecretFiles {
  return {
    read(path) {
      const { size } = statSync(path);
      if (size > fileBytesMax) throw new Error(`${path} has ${size} bytes`);
      return readFileSync(path);
    },
    appendError(path) {
      try {
        closeSync(openSync(path, "a", 0o600));
        return undefined;
      } catch (error) {
        return `unable to open file '${path}': ${reasonOf(error as NodeJS.ErrnoException)}`;
      }
    },
    environment: (name) => environment[name],
    watch(folder, onMoved) {
      const watcher = watch(folder, (event, name) => {
        if (event === "rename") onMoved(name ?? "");
      });
      // The folder is gone: what was read stays.
      watcher.on("error", () => watcher.close());
      return { [Symbol.dispose]: () => watcher.close() };
    },
  };
}

/** As strerror(3) has it. */
function reasonOf({ errno, message }: NodeJS.ErrnoException): string {
  const text = errno === undefined ? message : getSystemErrorMessage(errno);
  return text.charAt(0).toUpperCase() + text.slice(1);
}
