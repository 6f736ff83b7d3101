/**
 * Resources from a file (Envoy: `FilesystemSubscriptionImpl`, `path_config_source`): a DiscoveryResponse
 * in YAML, JSON or binary. There is nobody to answer, so a bad file shows in the log and the stats.
 *
 * What one would get wrong: a file is read again when it is *moved* into place, not when it is
 * written, so that nobody ever sees half of one (Envoy docs, "dynamic configuration (filesystem)").
 */
import { existsSync, readFileSync, watch, type FSWatcher } from "node:fs";
import path from "node:path";
import type { DiscoveryResponse as ResponseMessage } from "../../../gen/es/envoy/service/discovery/v3/discovery_pb.d.ts";
import type { Clock } from "../../shared/common/clock.ts";
import { messageOf } from "../../shared/common/errors.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { ReadResult } from "../proto/binary.ts";
import { readText } from "../proto/json.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { readDiscoveryResponse } from "./discovery-response.ts";
import { sotw } from "./sotw-conversation.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";
import { responseOf } from "./discovery-text.ts";
import { type AnySubscriptions, SubscriptionClient } from "./subscription-client.ts";
import type { XdsStats } from "./xds-stats.ts";
import type { XdsStatus } from "./xds-status.ts";

export interface FileSourceOptions {
  readonly path: string;
  /** Watched for moves in place of the file's own folder: for symbolic links, as of a ConfigMap. */
  readonly watchedDirectory?: string | undefined;
  readonly protos: ProtoRegistry;
  readonly clock: Clock;
  readonly stats: XdsStats;
  readonly logger: Logger;
}

/** What is against the path, in Envoy's words; to be asked before the source is made. */
export function filePathError(file: string): string | undefined {
  if (existsSync(file)) return undefined;
  return `paths must refer to an existing path in the system: '${file}' does not exist`;
}

/** One file, one type. */
export class FileSource extends SubscriptionClient {
  readonly #options: FileSourceOptions;
  readonly #watcher: FSWatcher;
  #isLoading = false;
  #isStale = false;

  constructor(options: FileSourceOptions) {
    super({ clock: options.clock, stats: options.stats, dialect: sotw });
    this.#options = options;
    const { logger, watchedDirectory } = options;
    const folder = watchedDirectory ?? path.dirname(options.path);
    const name = path.basename(options.path);
    this.#watcher = watch(folder, (event, file) => {
      const isOurs = watchedDirectory !== undefined || file === name;
      if (event === "rename" && isOurs) this.#onMoved();
    });
    this.#watcher.on("error", (error) =>
      logger.warning(`no longer watching ${folder}: ${error.message}`),
    );
  }

  override status(): XdsStatus {
    return {
      server: this.#options.path,
      serverIdentifier: "",
      stream: { kind: this.subscriptions.length > 0 ? "open" : "idle" },
      types: this.typeStatuses,
    };
  }

  override [Symbol.dispose](): void {
    this.#watcher.close();
    super[Symbol.dispose]();
  }

  protected override onInterest(): void {
    queueMicrotask(() => this.#load());
  }

  #onMoved(): void {
    for (const each of this.subscriptions) each.forEachStats((stats) => stats.attempted());
    this.#load();
  }

  /** Loads one at a time; what moved meanwhile is loaded after it. */
  #load(): void {
    this.#isStale = true;
    if (!this.#isLoading) void this.#loadUntilCurrent();
  }

  async #loadUntilCurrent(): Promise<void> {
    this.#isLoading = true;
    while (this.#isStale) {
      this.#isStale = false;
      for (const subscriptions of this.subscriptions) await this.#apply(subscriptions);
    }
    this.#isLoading = false;
  }

  async #apply(subscriptions: AnySubscriptions): Promise<void> {
    const { logger, path: file } = this.#options;
    subscriptions.forgetReleased();
    const read = this.#read(subscriptions.type.typeUrl);
    if (!read.ok) {
      logger.warning(`Filesystem config update failure: ${file}: ${read.errors.join("; ")}`);
      subscriptions.fail();
      return;
    }
    const reply = await subscriptions.answer(read.value);
    if (reply.kind === "nack")
      logger.warning(`Filesystem config update rejected: ${file}: ${reply.detail}`);
    else logger.debug(`Filesystem config update accepted: ${file} ${read.value.version}`);
  }

  #read(typeUrl: string): ReadResult<DiscoveryResponse> {
    const { path: file, protos } = this.#options;
    try {
      const bytes = readFileSync(file);
      if (file.endsWith(".pb")) {
        const read = readDiscoveryResponse(bytes);
        return read.ok ? read : { ok: false, errors: [read.error] };
      }
      const schema = protos.schema<ResponseMessage>("envoy.service.discovery.v3.DiscoveryResponse");
      const read = readText(protos, schema, bytes.toString("utf8"));
      return read.ok ? { ok: true, value: responseOf(read.value, typeUrl) } : read;
    } catch (thrown) {
      return { ok: false, errors: [messageOf(thrown)] };
    }
  }
}
