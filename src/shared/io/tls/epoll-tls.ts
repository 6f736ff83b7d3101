/** TLS of one epoll reactor: its contexts, and connections on them. Callbacks are registered with the first context. */
import type { SocketAddress } from "../../common/address.ts";
import type { ClientTlsConfig, ServerTlsConfig, TlsKeyLogConfig } from "../../config/tls-config.ts";
import type { TlsStart } from "../reactor.ts";
import { KeyLog } from "./key-log.ts";
import { SslCallbacks } from "./ssl-callbacks.ts";
import { SslClientContext } from "./ssl-client-context.ts";
import { SslServerContext } from "./ssl-server-context.ts";
import { type SslContext, SslStream } from "./ssl-stream.ts";
import type { PeerJudge, TlsContext } from "./tls.ts";

/** The socket, as far as TLS needs it. */
interface Carrier {
  readonly fd: number;
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
}

export class EpollTls implements Disposable {
  readonly #onBug: (error: unknown) => void;
  #callbacks: SslCallbacks | undefined;
  /** By path and ranges: contexts come and go with every rotation. */
  readonly #keyLogs = new Map<string, KeyLog>();

  constructor(onBug: (error: unknown) => void) {
    this.#onBug = onBug;
  }

  createServer(config: ServerTlsConfig, judge: PeerJudge | undefined): TlsContext {
    return new SslServerContext(config, judge, this.#callbacksNow());
  }

  createClient(config: ClientTlsConfig, judge: PeerJudge | undefined): TlsContext {
    return new SslClientContext(config, judge, this.#callbacksNow());
  }

  open(carrier: Carrier, start: TlsStart): SslStream {
    const { context } = start;
    if (!(context instanceof SslServerContext || context instanceof SslClientContext))
      throw new TypeError("bug: the context is of another reactor");
    return new SslStream(context, carrier.fd, start, (line) =>
      this.#writeKey(context, carrier, line),
    );
  }

  [Symbol.dispose](): void {
    for (const log of this.#keyLogs.values()) log[Symbol.dispose]();
    this.#keyLogs.clear();
    this.#callbacks?.[Symbol.dispose]();
    this.#callbacks = undefined;
  }

  #callbacksNow(): SslCallbacks {
    this.#callbacks ??= new SslCallbacks(this.#onBug);
    return this.#callbacks;
  }

  #writeKey({ config }: SslContext, { localAddress, remoteAddress }: Carrier, line: string): void {
    if (config.keyLog) this.#keyLogOf(config.keyLog).write(line, localAddress, remoteAddress);
  }

  #keyLogOf(config: TlsKeyLogConfig): KeyLog {
    const key = JSON.stringify(config);
    const log = this.#keyLogs.get(key) ?? new KeyLog(config);
    this.#keyLogs.set(key, log);
    return log;
  }
}
