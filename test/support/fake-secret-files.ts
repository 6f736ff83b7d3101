import path from "node:path";
import type { SecretFiles } from "../../src/control/secret/secret-files.ts";

/** Files that a test writes and moves by hand. */
export class FakeSecretFiles implements SecretFiles {
  readonly variables = new Map<string, string>();
  readonly #files = new Map<string, string>();
  readonly #watches = new Set<{
    readonly folder: string;
    readonly onMoved: (name: string) => void;
  }>();

  get watchCount(): number {
    return this.#watches.size;
  }

  /** Moved into place: who watches its folder hears of it. Undefined takes it away. */
  move(file: string, text: string | undefined): void {
    if (text === undefined) this.#files.delete(file);
    else this.#files.set(file, text);
    for (const { folder, onMoved } of this.#watches)
      if (folder === path.dirname(file)) onMoved(path.basename(file));
  }

  read(file: string): Uint8Array {
    const text = this.#files.get(file);
    if (text === undefined) throw new Error(`no such file: ${file}`);
    return Buffer.from(text);
  }

  appendError(file: string): string | undefined {
    return file.startsWith("/gone") ? `unable to open file '${file}'` : undefined;
  }

  environment(name: string): string | undefined {
    return this.variables.get(name);
  }

  watch(folder: string, onMoved: (name: string) => void): Disposable {
    if (folder === "/gone") throw new Error("no such folder");
    const watch = { folder, onMoved };
    this.#watches.add(watch);
    return { [Symbol.dispose]: () => void this.#watches.delete(watch) };
  }
}
