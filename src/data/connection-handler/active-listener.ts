/**
 * One version of one listener on this worker (Envoy: `ActiveTcpListener`): accepts, finds a worker, keeps
 * within the limit, and owns its connections until the last has gone.
 *
 * Beyond the lazy threshold it begins without configuration: it accepts, asks main once, and whoever
 * came meanwhile waits, bounded.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { DrainId, ListenerTag } from "../../shared/common/brand.ts";
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { DrainStart } from "../../shared/drain/drain.ts";
import { isInScope, type ServerDrainScope } from "../../shared/drain/server-drain-scope.ts";
import type {
  AcceptHandler,
  Descriptor,
  ListenRegistration,
  ListenSocketRef,
} from "../../shared/io/reactor.ts";
import type {
  AddListener,
  DrainConnections,
  ListenerSlots,
  StopListener,
  UpdateFilterChains,
} from "../../shared/protocol/worker-command.ts";
import { type MovedConnection, descriptorsOf } from "../../shared/protocol/moved-connection.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { ConnectionFacts } from "../network/filter-chain-match.ts";
import type { LearnedFacts } from "../network/learned-facts.ts";
import {
  ConnectionStreamInfo,
  lookAtAddresses,
  unremarkable,
} from "../network/connection-stream-info.ts";
import type { AccessLogger } from "../network/access-logger.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import {
  type AcceptedDescriptor,
  ActiveConnection,
  type ConnectionOwner,
} from "./active-connection.ts";
import { ActiveDrain } from "./active-drain.ts";
import type { ActiveFilterChain } from "./active-filter-chain.ts";
import type { ConnectionBalancer } from "./connection-balancer.ts";
import { unmatchedChain } from "./inert-filter.ts";
import type { DrainMember } from "./drain-member.ts";
import { ListenerChains } from "./listener-chains.ts";
import { ListenerCounters } from "./listener-counters.ts";
import type { PendingConnection } from "./pending-connection.ts";
import { PendingConnections } from "./pending-connections.ts";

/** What listeners share of their worker's connection handler. */
export interface ListenerEnvironment {
  readonly worker: WorkerContext;
  readonly balancer: ConnectionBalancer;
  readonly isHealthCheckFailed: boolean;
  /** False for now: by the overload manager, or because the next generation of the process serves. */
  mayAccept(bypassesOverload: boolean): boolean;
  nextConnectionId(): number;
  /** The listener that serves connections to the address: of exactly that one, or of all addresses of its port. */
  listenerAt(address: SocketAddress): ActiveListener | undefined;
  /** Server-wide drains under way that concern such a listener. */
  serverDrainsOf(config: ListenerConfig): readonly ActiveDrain[];
  post(event: WorkerEvent): void;
  onBug(error: unknown): void;
}

/** Connections that may wait for a lazy configuration; more are refused and counted as overflow. */
const waitingMax = 1_024;
/** Envoy's default is no limit. */
const acceptsUnlimited = 2 ** 31 - 1;

type State =
  /** No configuration here. `previous`: what an update without configuration replaces. */
  | {
      readonly kind: "lazy";
      readonly waiting: AcceptedDescriptor[];
      isAsked: boolean;
      readonly previous: ListenerChains | undefined;
      readonly onServed: (() => void)[];
    }
  | { readonly kind: "serving"; readonly chains: ListenerChains };

export class ActiveListener implements AcceptHandler, ConnectionOwner {
  readonly tag: ListenerTag;
  /** Where it is, bound or not. */
  readonly addresses: readonly SocketAddress[];
  readonly #environment: ListenerEnvironment;
  #sockets: readonly ListenSocketRef[];
  /** In the order of the sockets; disposed while it does not accept. */
  #registrations: ListenRegistration[];
  readonly #connections = new Set<ActiveConnection>();
  /** No chain matched them: closing, and not counted as the listener's. */
  readonly #unmatched = new Set<ActiveConnection>();
  readonly #retired = new Set<ActiveFilterChain>();
  readonly #drains: ActiveDrain[] = [];
  readonly #counters: ListenerCounters;
  /** In listener filters. */
  readonly #pending: PendingConnections;
  #slots: ListenerSlots;
  #state: State = lazy(undefined);
  /** Accepting what is left in the queue: served here, so that nothing is under way when it is done. */
  #isEmptying = false;
  #onEmpty: (() => void) | undefined = undefined;
  /** Made with the first configuration: in-place updates change filter chains only. */
  #logger: (AccessLogger & Disposable) | undefined = undefined;

  /** Accepts from the start. */
  constructor(command: AddListener, environment: ListenerEnvironment) {
    this.tag = command.tag;
    this.#environment = environment;
    this.#slots = command.slots;
    this.#counters = new ListenerCounters(this.worker, command.slots);
    this.#pending = new PendingConnections({
      reactor: this.worker.reactor,
      counters: this.#counters,
      onBug: (error) => this.onBug(error),
      open: (descriptor, pending) => this.#openPending(descriptor, pending),
      lost: (pending) => this.#onLost(pending),
      drainsOf: (config) => this.#drainsOfAll(config),
    });
    if (command.config) this.#serveWith(command.config, undefined);
    this.#sockets = command.sockets;
    this.addresses = [
      ...command.sockets.map(({ localAddress }) => localAddress),
      ...command.unboundAddresses,
    ];
    this.#registrations = command.sockets.map((socket) => this.#listen(socket));
    if (!this.#mayAccept) this.followAccepting();
  }

  get worker(): WorkerContext {
    return this.#environment.worker;
  }

  get slots(): ListenerSlots {
    return this.#slots;
  }

  get isHealthCheckFailed(): boolean {
    return this.#environment.isHealthCheckFailed;
  }

  get #mayAccept(): boolean {
    return this.#environment.mayAccept(this.#slots.bypassesOverload);
  }

  get acceptsPerEventMax(): number {
    const configured = this.#config?.acceptsPerEventMax ?? 0;
    return configured > 0 ? configured : acceptsUnlimited;
  }

  /** All that may be in its drains. */
  drainMembers(): readonly DrainMember[] {
    return [...this.#connections, ...this.#pending.all];
  }

  // Commands.

  /** What the environment says has changed. While it may not, who connects waits in the accept queue. */
  followAccepting(): void {
    if (this.#isEmptying || this.#onEmpty !== undefined) return;
    for (const registration of this.#registrations) registration[Symbol.dispose]();
    if (this.#mayAccept) this.#registrations = this.#sockets.map((socket) => this.#listen(socket));
  }

  update(command: UpdateFilterChains): void {
    this.#slots = command.slots;
    this.#counters.moveTo(command.slots);
    const state = this.#state;
    const previous = state.kind === "serving" ? state.chains : state.previous;
    if (command.config) this.#serveWith(command.config, previous);
    // What waits goes on waiting, for the newer configuration; main answers each question asked.
    else if (state.kind === "serving") this.#state = lazy(previous);
  }

  /** The answer to `listenerConfigWanted`; late ones, overtaken by an update, change nothing. */
  configure(config: ListenerConfig): void {
    if (this.#state.kind === "lazy") this.#serveWith(config, this.#state.previous);
  }

  /** `onStopped`: nothing of this listener is under way any more, neither to other workers nor to main. */
  stop(command: StopListener, onStopped: () => void): void {
    for (const registration of this.#registrations) registration[Symbol.dispose]();
    this.#isEmptying = true;
    if (command.emptyQueue) this.#emptyQueues(command.closing ?? []);
    this.#environment.balancer.whenTaken(() => this.#whenServed(onStopped));
  }

  /** After `stop`, on other sockets at the same addresses. */
  reopen(sockets: readonly ListenSocketRef[]): void {
    this.#isEmptying = false;
    this.#sockets = sockets;
    this.followAccepting();
  }

  /** `chainIds`: undefined for the whole listener. */
  startDrain(start: DrainStart, chainIds: readonly string[] | undefined): void {
    const drain = new ActiveDrain(start, this.worker, (event) => this.#environment.post(event));
    const chains = chainIds && this.#chainsToDrain(chainIds);
    if (chains) for (const chain of chains) chain.drains.push(drain);
    else this.#drains.push(drain);
    for (const connection of this.#connections) {
      if (chains === undefined || chains.has(connection.chain)) connection.joinDrain(drain);
    }
    // They have no chain yet.
    if (chains === undefined) for (const pending of this.#pending.all) pending.joinDrain(drain);
    drain.report();
  }

  /** The share is picked evenly over the ages of the connections, `filterChains` alone where they are given. */
  drainConnections(command: DrainConnections): void {
    const { drain: start, share, filterChains } = command;
    const drain = new ActiveDrain(start, this.worker, (event) => this.#environment.post(event));
    // Told at once a connection may close itself and leave the set.
    const chosen = [...this.#connections]
      .filter(({ chain }) => filterChains?.includes(chain.config.id) ?? true)
      .filter((_, index) => isInShare(index, share));
    for (const connection of chosen) connection.joinDrain(drain);
    drain.report();
  }

  /** The drain of the id, if it is of this listener, of a chain of its or of a connection. */
  findDrain(id: DrainId): ActiveDrain | undefined {
    const held = this.#drainLists().flatMap((drains) => drains.filter((d) => d.start.id === id));
    if (held[0]) return held[0];
    for (const member of this.drainMembers()) {
      const drain = member.drainOf(id);
      if (drain) return drain;
    }
    return undefined;
  }

  /** Whoever is accepted from now on does not join it. */
  forgetDrain(drain: ActiveDrain): void {
    for (const drains of this.#drainLists()) {
      const index = drains.indexOf(drain);
      if (index >= 0) drains.splice(index, 1);
    }
  }

  /** No-op for a listener outside the scope, and for one whose configuration no connection has asked for yet. */
  joinServerDrain(drain: ActiveDrain, scope: ServerDrainScope): void {
    const config = this.#config;
    if (!config || !isInScope(config, scope)) return;
    for (const member of this.drainMembers()) member.joinDrain(drain);
  }

  /**
   * Connections that another process may be able to serve on, as of now. Where listener filters looked at the first bytes
   * there are none: what they learned is not in the descriptor.
   */
  movableConnections(): readonly ActiveConnection[] {
    const chains = this.#chains;
    if (!chains || chains.listenerFilters.length > 0) return [];
    // Of a chain that has been replaced the other process knows nothing.
    return [...this.#connections].filter(({ chain }) => chains.byId(chain.config.id) === chain);
  }

  /** Of what another process has given, or did not take: it is on this worker, which is not asked for balance. */
  adopt(
    connection: MovedConnection,
    { countedAt, stays }: { readonly countedAt: number | undefined; readonly stays: boolean },
  ): void {
    if (countedAt === undefined) this.#counters.acquire();
    this.#environment.balancer.opened();
    const { descriptor } = connection;
    const accepted = { descriptor, facts: undefined, moved: { connection, stays } };
    if (this.#state.kind === "lazy") this.#keepWaiting(accepted, this.#state);
    else this.#open(accepted, this.#state.chains.config);
  }

  /** Cuts what is left; calls when the last connection has gone. */
  remove(onRemoved: () => void): void {
    for (const registration of this.#registrations) registration[Symbol.dispose]();
    if (this.#state.kind === "lazy") this.#refuseWaiting(this.#state.waiting);
    this.#retire(this.#chains?.retiredBy(undefined) ?? []);
    this.#onEmpty = onRemoved;
    this.#pending.removeAll();
    for (const connection of this.#connections) connection.cut();
    this.#endIfEmpty();
  }

  /** Of the chains that serve, by their ids: what an update has retired drains already. */
  connectionsByChain(): readonly (readonly [string, number])[] {
    return this.#chains?.connectionCounts() ?? [];
  }

  // Accepting.

  onAccepted(descriptor: Descriptor): void {
    if (!this.#counters.tryAcquire()) return this.#environment.worker.reactor.discard(descriptor);
    const { balancer } = this.#environment;
    if (this.#isEmptying) balancer.opened();
    else if (
      balancer.handOver({ tag: this.tag, descriptor, connectionCount: this.#slots.connectionCount })
    ) {
      return this.#counters.handedOver();
    }
    this.serve(descriptor);
  }

  onBatch(count: number): void {
    this.#counters.batchAccepted(count);
  }

  onExhausted(): void {
    this.#counters.descriptorsExhausted();
    this.worker
      .loggerOf("conn_handler")
      .warning("cannot accept: out of descriptors or memory; trying again in 100 ms");
  }

  /** Serves a connection that is counted already: as this worker's, and towards the listener's limit. */
  serve(descriptor: Descriptor): void {
    if (this.#state.kind === "lazy")
      this.#keepWaiting({ descriptor, facts: undefined }, this.#state);
    else this.#inspect(descriptor, this.#state.chains);
  }

  /**
   * A connection of another listener on this worker, whose address is ours (Envoy: `onAcceptWorker` after
   * `getBalancedHandlerByAddress`). It is counted as this worker's already.
   */
  takeOver(descriptor: Descriptor, facts: LearnedFacts): void {
    if (!this.#counters.tryAcquire()) {
      this.worker.reactor.discard(descriptor);
      return this.#environment.balancer.closed();
    }
    if (this.#state.kind === "lazy")
      this.#keepWaiting({ descriptor, facts: undefined }, this.#state);
    else this.#inspect(descriptor, this.#state.chains, facts);
  }

  // As the owner of connections.

  findChain(facts: ConnectionFacts): ActiveFilterChain {
    return this.#chains?.find(facts) ?? unmatchedChain;
  }

  onBug(error: unknown): void {
    this.#environment.onBug(error);
  }

  connectionClosed(connection: ActiveConnection): void {
    if (!connection.isGiven) this.#logger?.log(connection.streamInfo());
    if (!this.#unmatched.delete(connection)) {
      this.#connections.delete(connection);
      if (connection.isGiven) this.#counters.show(this.#connections.size);
      else this.#counters.closed(this.#connections.size, connection.startMs);
    }
    // Main counts it on until somebody has it.
    if (connection.isGiven) this.#environment.balancer.closed();
    else this.#release();
    if (connection.chain.connectionClosed()) this.#retired.delete(connection.chain);
    this.#endIfEmpty();
  }

  get #config(): ListenerConfig | undefined {
    return this.#chains?.config;
  }

  /** Of a lazy listener what it replaces: its connections are still there. */
  get #chains(): ListenerChains | undefined {
    return this.#state.kind === "serving" ? this.#state.chains : this.#state.previous;
  }

  #listen(socket: ListenSocketRef): ListenRegistration {
    return this.worker.reactor.listen(socket, this);
  }

  #emptyQueues(closing: readonly number[]): void {
    for (const [index, registration] of this.#registrations.entries()) {
      if (closing.includes(this.#sockets[index]?.handle ?? -1)) registration.drainAndClose();
      else registration.drainQueue();
    }
  }

  #serveWith(config: ListenerConfig, previous: ListenerChains | undefined): void {
    const chains = new ListenerChains(config, previous, this.worker, this.#slots);
    if (config.accessLog.length > 0)
      this.#logger ??= this.worker.createAccessLogger(config.accessLog, "notSet");
    const before = this.#state;
    this.#state = { kind: "serving", chains };
    this.#retire(previous?.retiredBy(chains) ?? []);
    if (before.kind === "serving") return;
    for (const accepted of before.waiting.splice(0))
      if (accepted.moved) this.#open(accepted, chains.config);
      else this.#inspect(accepted.descriptor, chains);
    for (const onServed of before.onServed) onServed();
  }

  #inspect(descriptor: Descriptor, chains: ListenerChains, handedOff?: LearnedFacts): void {
    if (chains.listenerFilters.length === 0)
      this.#open({ descriptor, facts: handedOff }, chains.config);
    else this.#pending.take(descriptor, chains, handedOff);
  }

  /** By what holds now: chains may have changed while its filters looked. */
  #openPending(descriptor: Descriptor, { facts, isHandedOff }: PendingConnection): void {
    const chains = this.#chains;
    if (!chains) {
      this.worker.reactor.discard(descriptor);
      return this.#release();
    }
    const { originalDestination } = facts;
    const mayHandOff = chains.config.handsOffRestored && !isHandedOff;
    const other =
      mayHandOff && originalDestination && this.#environment.listenerAt(originalDestination);
    if (!other) return this.#open({ descriptor, facts }, chains.config);
    this.#counters.release();
    other.takeOver(descriptor, facts);
  }

  /** Envoy logs it, too, as a connection of no chain and without a number (`~ActiveTcpSocket`). */
  #onLost({ facts, startMs }: PendingConnection): void {
    const { worker } = this;
    const nothing = { id: 0, terminationDetails: undefined, transportFailureReason: undefined };
    this.#logger?.log(
      new ConnectionStreamInfo(
        {
          ...nothing,
          facts,
          startMs,
          worker,
          reactor: worker.reactor,
          socket: { tlsSession: undefined },
          listener: { name: this.#config?.name ?? "" },
          filterChain: { name: "" },
        },
        unremarkable,
      ),
    );
    this.#release();
  }

  #open(accepted: AcceptedDescriptor, config: ListenerConfig): void {
    const id = this.#environment.nextConnectionId();
    const connection = new ActiveConnection(this, id, config, accepted);
    if (this.#logger) lookAtAddresses(connection.socket);
    connection.chain.connectionOpened();
    if (connection.chain.isUnmatched) {
      this.#unmatched.add(connection);
      this.#counters.unmatched();
      return connection.socket.close("now");
    }
    this.#connections.add(connection);
    if (connection.hasMovedHere) this.#counters.show(this.#connections.size);
    else this.#counters.opened(this.#connections.size);
    connection.begin();
    this.#joinDrainsUnderWay(connection, config);
  }

  /** Accepted late, from an emptied queue or after a server-wide drain began: it shares the timeline. */
  #joinDrainsUnderWay(connection: ActiveConnection, config: ListenerConfig): void {
    for (const drain of this.#drainsOfAll(config)) connection.joinDrain(drain);
    for (const drain of connection.chain.drains) connection.joinDrain(drain);
  }

  /** Whatever the chain. */
  #drainsOfAll(config: ListenerConfig): readonly ActiveDrain[] {
    return [...this.#drains, ...this.#environment.serverDrainsOf(config)];
  }

  /** A connection is counted no more. */
  #release(): void {
    this.#counters.release();
    this.#environment.balancer.closed();
  }

  #keepWaiting(accepted: AcceptedDescriptor, state: Extract<State, { kind: "lazy" }>): void {
    // Of those that come from another process it had no more than it could hold, and nobody else has them.
    if (state.waiting.length >= waitingMax && !accepted.moved) {
      this.#counters.overflowed();
      return this.#refuseWaiting([accepted]);
    }
    state.waiting.push(accepted);
    if (state.isAsked) return;
    state.isAsked = true;
    this.#environment.post({ kind: "listenerConfigWanted", tag: this.tag });
  }

  #refuseWaiting(waiting: AcceptedDescriptor[]): void {
    for (const { descriptor, moved } of waiting.splice(0)) {
      const owned = moved ? descriptorsOf(moved.connection) : [descriptor];
      for (const each of owned) this.worker.reactor.discard(each);
      this.#release();
    }
  }

  #whenServed(onServed: () => void): void {
    if (this.#state.kind === "lazy" && this.#state.waiting.length > 0) {
      this.#state.onServed.push(onServed);
    } else onServed();
  }

  /** Where drains wait for whoever comes late. */
  #drainLists(): ActiveDrain[][] {
    const chains = [...this.#retired, ...(this.#chains?.all ?? [])];
    return [this.#drains, ...chains.map((chain) => chain.drains)];
  }

  #chainsToDrain(ids: readonly string[]): Set<ActiveFilterChain> {
    const wanted = new Set(ids);
    const retired = [...this.#retired].filter(
      (chain) => wanted.has(chain.config.id) && chain.drains.length === 0,
    );
    // A chain of the same id may have come back meanwhile: the retired one is meant, then.
    for (const chain of retired) wanted.delete(chain.config.id);
    const serving = [...wanted].flatMap((id) => this.#chains?.byId(id) ?? []);
    return new Set([...retired, ...serving]);
  }

  #retire(chains: readonly ActiveFilterChain[]): void {
    for (const chain of chains) if (!chain.retire()) this.#retired.add(chain);
  }

  #endIfEmpty(): void {
    if (this.#onEmpty === undefined || this.#connections.size + this.#unmatched.size > 0) return;
    for (const drain of this.#drains.splice(0)) drain[Symbol.dispose]();
    this.#logger?.[Symbol.dispose]();
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    onEmpty();
  }
}

/** Of any run of n in a row the share is n times `share`, give or take one; of one alone it is that one. */
function isInShare(index: number, share: number): boolean {
  return Math.ceil((index + 1) * share) > Math.ceil(index * share);
}

function lazy(previous: ListenerChains | undefined): State {
  return { kind: "lazy", waiting: [], isAsked: false, previous, onServed: [] };
}
