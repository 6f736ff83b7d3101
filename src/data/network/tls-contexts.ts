/**
 * The TLS contexts of one worker, by the ids that filter chains and clusters name. Made when the first connection needs one,
 * since most of a thousand never do; one that is in use is made anew at once, so that what is broken leaves the old one.
 */
import type { Logger } from "../../shared/common/log.ts";
import { messageOf } from "../../shared/common/errors.ts";
import type { ServerTlsConfig, ClientTlsConfig } from "../../shared/config/tls-config.ts";
import type { TlsContextConfig, TlsSide } from "../../shared/protocol/worker-command.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import type { PeerJudge, TlsContext } from "../../shared/io/tls/tls.ts";
import { compilePeerJudge } from "../../shared/tls/peer-judge.ts";

interface Entry<Config> {
  readonly config: Config;
  context: TlsContext | undefined;
  /** It was refused: not tried again, and said once. */
  isBroken: boolean;
}

export class TlsContextTable<Config extends ServerTlsConfig | ClientTlsConfig> {
  readonly #create: (config: Config) => TlsContext;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry<Config>>();

  constructor(create: (config: Config) => TlsContext, log: Logger) {
    this.#create = create;
    this.#log = log;
  }

  /** Undefined: its secrets have not come, or are of no use. */
  get(id: string): TlsContext | undefined {
    const entry = this.#entries.get(id);
    if (!entry || entry.isBroken) return undefined;
    return (entry.context ??= this.#made(entry));
  }

  set(id: string, config: Config): void {
    const before = this.#entries.get(id)?.context;
    const entry: Entry<Config> = { config, context: undefined, isBroken: false };
    if (before) {
      entry.context = this.#made(entry);
      if (entry.isBroken) return;
    }
    this.#entries.set(id, entry);
    before?.[Symbol.dispose]();
  }

  remove(id: string): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    entry?.context?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const id of this.#entries.keys()) this.remove(id);
  }

  #made(entry: Entry<Config>): TlsContext | undefined {
    try {
      return this.#create(entry.config);
    } catch (error) {
      entry.isBroken = true;
      this.#log.error(`TLS context is refused: ${messageOf(error)}`);
      return undefined;
    }
  }
}

/** What filters and pools see. */
export interface TlsContexts {
  readonly server: { get(id: string): TlsContext | undefined };
  readonly client: { get(id: string): TlsContext | undefined };
}

export class WorkerTls implements TlsContexts, Disposable {
  readonly server: TlsContextTable<ServerTlsConfig>;
  readonly client: TlsContextTable<ClientTlsConfig>;

  constructor(reactor: Pick<Reactor, "createServerTls" | "createClientTls">, log: Logger) {
    this.server = new TlsContextTable(
      (config) => reactor.createServerTls(config, judgeOf(config)),
      log,
    );
    this.client = new TlsContextTable(
      (config) => reactor.createClientTls(config, judgeOf(config)),
      log,
    );
  }

  set(context: TlsContextConfig): void {
    if (context.side === "server") this.server.set(context.id, context.config);
    else this.client.set(context.id, context.config);
  }

  remove({ side, id }: { readonly side: TlsSide; readonly id: string }): void {
    this[side].remove(id);
  }

  [Symbol.dispose](): void {
    this.server[Symbol.dispose]();
    this.client[Symbol.dispose]();
  }
}

/** Undefined: any leaf will do. */
function judgeOf({ validation }: ServerTlsConfig | ClientTlsConfig): PeerJudge | undefined {
  return validation && compilePeerJudge(validation);
}
