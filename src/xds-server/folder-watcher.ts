/**
 * Follows a folder of resources: a saved file is read, checked and handed on. A broken one is told and
 * nothing is handed on, so half a file, or a mistake, never reaches a client.
 *
 * What one would get wrong: editors save by writing or by renaming a new file over the old one, and
 * both tell of it several times. So an event only says that something changed; the folder is read
 * again once it has been quiet for a moment.
 */
import { existsSync, watch, type FSWatcher } from "node:fs";
import path from "node:path";
import type { Clock } from "../shared/common/clock.ts";
import type { FolderContent, ResourceFolder } from "./resource-folder.ts";
import { servedTypes } from "./resource-types.ts";

export interface FolderWatcherOptions {
  readonly folder: ResourceFolder;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** Called with everything in the folder, changed or not. */
  readonly onContent: (content: FolderContent) => void;
}

/** Longer than the pause between the events of one save, shorter than anybody notices. */
const quietMs = 50;

export class FolderWatcher implements Disposable {
  readonly #options: FolderWatcherOptions;
  readonly #watchers: FSWatcher[] = [];
  #timer: Disposable | undefined;

  constructor(options: FolderWatcherOptions) {
    this.#options = options;
    const { root } = options.folder;
    const folders = servedTypes.map((type) => path.join(root, type.folder)).filter(existsSync);
    for (const folder of [root, ...folders]) {
      const watcher = watch(folder, () => this.#onEvent());
      watcher.on("error", (error) => options.log(`no longer watching ${folder}: ${error.message}`));
      this.#watchers.push(watcher);
    }
  }

  /** Reads the folder and hands it on. False if something in it is broken: then nothing is. */
  load(): boolean {
    const { folder, log, onContent } = this.#options;
    const read = folder.read();
    if (read.ok) onContent(read.value);
    else log(`not pushed, the last good resources stay: ${read.errors.join("; ")}`);
    return read.ok;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    for (const watcher of this.#watchers) watcher.close();
  }

  #onEvent(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#options.clock.startTimer(quietMs, () => this.load());
  }
}
