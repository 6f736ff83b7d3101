/**
 * A management server to embed: real gRPC, aggregated and by type, state of the world and delta. For
 * demonstrations, tests and small installations; it authenticates nobody, so it listens on loopback unless told
 * otherwise. Its HTTP side is in `api/`.
 */
import { status } from "@grpc/grpc-js";
import { type Clock, systemClock } from "../shared/common/clock.ts";
import type { Random } from "../shared/common/random.ts";
import { seededRandom } from "../shared/common/seeded-random.ts";
import { createProtoRegistry, type ProtoRegistry } from "../control/proto/proto-registry.ts";
import { type ClientStatus, type ClientVerdict, ConnectedClients } from "./connected-clients.ts";
import { DiscoveryEndpoint } from "./discovery-endpoint.ts";
import type { ServedResource } from "./discovery-wire.ts";
import { FaultBook } from "./faults/fault-book.ts";
import { listenAddressOf } from "./listen-address.ts";
import { everyNode, ResourceStore } from "./resource-store.ts";
import { servedTypeOf, servedTypes, type ServedType } from "./resource-types.ts";
import type { ServerTls } from "./server-tls.ts";
import { versionOf } from "./resource-version.ts";

export interface ManagementServerOptions {
  /** `host:port` or `unix:path`; port 0, the default, takes a free one. */
  readonly address?: string;
  /** One line for each event worth telling. */
  readonly log?: (line: string) => void;
  readonly clock?: Clock;
  /** Of the faults that have a choice; from a seed unless given, so that they can be had again. */
  readonly random?: Random;
  readonly protos?: ProtoRegistry;
  /** Undefined: in plain text. */
  readonly tls?: ServerTls | undefined;
}

interface Parts {
  readonly store: ResourceStore;
  readonly faults: FaultBook;
  readonly clients: ConnectedClients;
  readonly endpoint: DiscoveryEndpoint;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

export class ManagementServer implements AsyncDisposable {
  readonly faults: FaultBook;
  readonly #parts: Parts;
  #heartbeat: Disposable | undefined;

  static async start(options: ManagementServerOptions = {}): Promise<ManagementServer> {
    const { address = "127.0.0.1:0", log = () => {}, clock = systemClock } = options;
    const { random = seededRandom(1), protos = createProtoRegistry() } = options;
    const store = new ResourceStore();
    const faults = new FaultBook();
    const clients = new ConnectedClients({
      resourcesFor: (typeUrl, node) => store.offeredTo(node, typeUrl),
      faults,
      clock,
      random,
      log,
    });
    const endpoint = await DiscoveryEndpoint.listen({
      address: listenAddressOf(address),
      clock,
      protos,
      rate: () => faults.takeRate(),
      tls: options.tls,
      opened: (stream) => clients.opened(stream),
    });
    return new ManagementServer({ store, faults, clients, endpoint, clock, log });
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.faults = parts.faults;
  }

  get port(): number {
    return this.#parts.endpoint.port;
  }

  /**
   * Replaces all resources of one type and pushes the difference to every client. `node`: a node id or a
   * cluster's name, for resources that are laid over those of every client.
   */
  setResources(
    typeUrl: string,
    resources: readonly ServedResource[],
    node: string = everyNode,
  ): void {
    this.#parts.store.set(typeUrl, resources, node);
    this.#pushed();
  }

  /**
   * Replaces the resources of all types in one push, in the order that is safe; a type that is left out has none.
   * Gives the types that changed.
   */
  setAll(
    content: ReadonlyMap<string, readonly ServedResource[]>,
    node: string = everyNode,
  ): readonly ServedType[] {
    const all = new Map(content);
    for (const typeUrl of [...servedTypes.map((type) => type.typeUrl), ...this.typeUrls()])
      if (!all.has(typeUrl)) all.set(typeUrl, []);
    return this.setTypes(all, node);
  }

  /** As `setAll`, of some types; the others stay as they are. */
  setTypes(
    content: ReadonlyMap<string, readonly ServedResource[]>,
    node: string = everyNode,
  ): readonly ServedType[] {
    const { store, log } = this.#parts;
    const changed = [...content.keys()].map(servedTypeOf).filter(({ typeUrl, shortName }) => {
      const before = this.versionOf(typeUrl, node);
      const resources = content.get(typeUrl) ?? [];
      store.set(typeUrl, resources, node);
      const version = this.versionOf(typeUrl, node);
      if (version === before) return false;
      const whom = node === everyNode ? "" : ` for ${node}`;
      log(`push ${shortName} ${version}${whom}: ${resources.length} resources`);
      return true;
    });
    this.#pushed();
    return changed.toSorted((a, b) => orderOf(a) - orderOf(b));
  }

  resourcesOf(typeUrl: string, node: string = everyNode): readonly ServedResource[] {
    return this.#parts.store.of(typeUrl, node) ?? [];
  }

  /** Every type that was ever set. */
  typeUrls(): readonly string[] {
    return this.#parts.store.typeUrls();
  }

  /** What a client of this name is offered; `undefined`: nothing was ever set. */
  offeredTo(node: { readonly id: string; readonly cluster: string }, typeUrl: string) {
    return this.#parts.store.offeredTo(node, typeUrl);
  }

  /** The version of all resources of a type: a hash of their content. */
  versionOf(typeUrl: string, node: string = everyNode): string {
    return versionOf(this.resourcesOf(typeUrl, node));
  }

  /** What every connected client last said, by client and type. */
  verdicts(): readonly ClientVerdict[] {
    return this.#parts.clients.verdicts();
  }

  /** Every connected client: what it asked for, was sent, and said. */
  clients(): readonly ClientStatus[] {
    return this.#parts.clients.status();
  }

  /** Settles when at least one client asked for the type and all that did have answered the last push. */
  async awaitAnswer(typeUrl: string): Promise<readonly ClientVerdict[]> {
    for (;;) {
      const verdicts = this.verdicts().filter((verdict) => verdict.typeUrl === typeUrl);
      const isOpen = verdicts.some(({ verdict }) => verdict.kind === "waiting");
      if (verdicts.length > 0 && !isOpen) return verdicts;
      await this.nextEvent();
    }
  }

  /** Resolves when no client owes an answer: true; or after that time: whether none does. */
  async settled(withinMs: number): Promise<boolean> {
    const isOpen = (): boolean => this.verdicts().some(({ verdict }) => verdict.kind === "waiting");
    if (!isOpen() || withinMs === 0) return !isOpen();
    let isOver = false;
    using _timer = this.#parts.clock.startTimer(withinMs, () => {
      isOver = true;
      this.#parts.clients.announce();
    });
    while (isOpen() && !isOver) await this.nextEvent();
    return !isOpen();
  }

  /** On the server's clock. */
  delay(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (ms === 0) resolve();
    else this.#parts.clock.startTimer(ms, resolve);
    return promise;
  }

  /** Settles when a client comes, goes or says something, or resources change. */
  nextEvent(): Promise<void> {
    return this.#parts.clients.nextEvent();
  }

  /** Streams that were ever opened. */
  get clientsSeen(): number {
    return this.#parts.clients.seen;
  }

  get clientCount(): number {
    return this.#parts.clients.count;
  }

  /** Ends every stream with a status and goes on listening: clients have to come back. */
  dropStreams(code: number = status.UNAVAILABLE, details = "dropped"): void {
    this.#parts.clients.endAll(code, details);
  }

  /** Resets every connection, without a word. */
  resetConnections(): void {
    this.#parts.endpoint.resetConnections();
  }

  /** Sends GOAWAY on every connection. */
  goAway(): void {
    this.#parts.endpoint.goAway();
  }

  /** Sends bytes of the caller's choice to every client, for tests of what clients make of them. */
  sendRaw(message: Buffer): void {
    this.#parts.clients.sendRaw(message);
  }

  /** Settles when everything that was pushed has been handed to the transport of its client. */
  flushed(): Promise<void> {
    return this.#parts.endpoint.flushed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#heartbeat?.[Symbol.dispose]();
    await this.#parts.endpoint[Symbol.asyncDispose]();
    this.#parts.clients.announce();
  }

  #pushed(): void {
    const { clients, store, clock } = this.#parts;
    clients.push();
    this.#heartbeat?.[Symbol.dispose]();
    const ttlMs = store.shortestTtlMs;
    if (ttlMs === undefined) return;
    const beat = (): void => {
      clients.heartbeat();
      this.#heartbeat = clock.startTimer(ttlMs / 2, beat);
    };
    this.#heartbeat = clock.startTimer(ttlMs / 2, beat);
  }
}

function orderOf(type: ServedType): number {
  const order = servedTypes.indexOf(type);
  return order < 0 ? servedTypes.length : order;
}
