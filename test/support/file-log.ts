/** An access log in a file of its own, in the configuration of a proxy that runs as a process. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "./until.ts";

export class FileLog implements Disposable {
  /** Of `access_log`. */
  readonly config: object;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "sluice-file-log-"));
  readonly #file = path.join(this.#folder, "log");

  constructor(format: string) {
    this.config = {
      name: "envoy.access_loggers.file",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        path: this.#file,
        log_format: { text_format_source: { inline_string: `${format}\n` } },
      },
    };
  }

  /** All of them, once there are so many. */
  async lines(count: number): Promise<readonly string[]> {
    await until(() => this.#read().length === count, "every line is written");
    return this.#read();
  }

  /** What stands so far behind the prefix, of all lines that begin with it. */
  textBehind(prefix: string): string {
    const lines = this.#read().filter((line) => line.startsWith(prefix));
    return lines.map((line) => line.slice(prefix.length)).join("; ");
  }

  #read(): readonly string[] {
    if (!existsSync(this.#file)) return [];
    return readFileSync(this.#file, "utf8").split("\n").filter(Boolean);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
