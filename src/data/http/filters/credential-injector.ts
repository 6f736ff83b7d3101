/** `envoy.filters.http.credential_injector`: the secret of the moment goes into a header, which routes do not see. */
import type { HttpFilterConfig } from "../../../shared/config/http-config.ts";
import { credentialInjectorStats } from "../../../shared/stats/stat-names.ts";
import type { StatBlock } from "../../../shared/stats/stat-group.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import { hasField, setField } from "../headers/header-mutations.ts";
import { HeaderName } from "../http1/header-table.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import type { HeadFilter } from "./http-filter.ts";

export type CredentialInjectorConfig = Extract<HttpFilterConfig, { kind: "credentialInjector" }>;

const injected = credentialInjectorStats.offset("injected");
const failed = credentialInjectorStats.offset("failed");
const alreadyExists = credentialInjectorStats.offset("already_exists");

export class CredentialInjector implements HeadFilter {
  readonly #config: CredentialInjectorConfig;
  readonly #worker: WorkerContext;
  readonly #stats: StatBlock;
  readonly #header: HeaderName;
  readonly #watch: Disposable;
  /** Empty: there is none. */
  #credential = "";

  constructor(config: CredentialInjectorConfig, worker: WorkerContext, stats: StatBlock) {
    this.#config = config;
    this.#worker = worker;
    this.#stats = stats;
    this.#header = new HeaderName(config.header);
    this.#take(worker.secrets.get(config.secret));
    this.#watch = worker.secrets.watch(config.secret, (secret) => this.#take(secret));
  }

  onRequest(bytes: Uint8Array, extra: ExtraFields): LocalReplyReason | undefined {
    const { overwrite, allowsRequestWithoutCredential } = this.#config;
    if (!overwrite && hasField(bytes, extra, this.#header)) {
      this.#worker.slab.add(this.#stats, alreadyExists);
      return undefined;
    }
    if (this.#credential === "") {
      this.#worker.slab.add(this.#stats, failed);
      return allowsRequestWithoutCredential ? undefined : "noCredential";
    }
    setField(bytes, extra, this.#header, this.#credential);
    this.#worker.slab.add(this.#stats, injected);
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  /**
   * A secret with control characters would break the head that it is written into, so it is none. Heads are written as
   * latin1: the bytes of a secret go out as they are.
   */
  #take(secret = ""): void {
    const isFit = secret !== "" && !/[^\t\P{Cc}]/u.test(secret);
    const text = isFit ? this.#config.prefix + secret : "";
    this.#credential = Buffer.from(text, "utf8").toString("latin1");
  }
}
