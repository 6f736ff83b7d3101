/**
 * Serves a folder and follows it: a saved file is read, checked and pushed. A broken one is told and
 * nothing changes, so half a file, or a mistake, never reaches a client.
 *
 * What one would get wrong: editors save by writing or by renaming a new file over the old one, and
 * both tell of it several times. So an event only says that something changed; the folder is read
 * again once it has been quiet for a moment.
 */
import { existsSync, watch, type FSWatcher } from "node:fs";
import path from "node:path";
import type { Clock } from "../shared/common/clock.ts";
import type { ManagementServer } from "./management-server.ts";
import type { ResourceFolder } from "./resource-folder.ts";
import { servedTypes } from "./resource-types.ts";

export interface FolderWatcherOptions {
  readonly folder: ResourceFolder;
  readonly server: ManagementServer;
  readonly clock: Clock;
  readonly log: (line: string) => void;
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

  /** Reads the folder and pushes what differs. False if something in it is broken: then nothing is. */
  load(): boolean {
    const { folder, server, log } = this.#options;
    const read = folder.read();
    if (!read.ok) {
      log(`not pushed, the last good resources stay: ${read.errors.join("; ")}`);
      return false;
    }
    for (const { typeUrl, shortName } of servedTypes) {
      const before = server.versionOf(typeUrl);
      const resources = read.value.get(typeUrl) ?? [];
      const known = new Map(
        server.resourcesOf(typeUrl).map((resource) => [resource.name, resource]),
      );
      // Equal resources keep their identity, which is how the server sees that they did not change.
      const merged = resources.map((resource) => {
        const old = known.get(resource.name);
        return old && Buffer.compare(old.bytes, resource.bytes) === 0 ? old : resource;
      });
      server.setResources(typeUrl, merged);
      const after = server.versionOf(typeUrl);
      if (after !== before) log(`pushed ${shortName} ${after}: ${resources.length} resources`);
    }
    return true;
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
