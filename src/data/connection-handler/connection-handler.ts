/**
 * Carries out what main says, in order (Envoy: `ConnectionHandlerImpl` and `WorkerImpl`). The only door
 * between a worker's port and its listeners, clusters and routes.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { DrainId, ListenerTag } from "../../shared/common/brand.ts";
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import { isInScope, type ServerDrainScope } from "../../shared/drain/server-drain-scope.ts";
import type {
  AddListener,
  RemoveListener,
  ReopenListener,
  ReplyId,
  DrainConnections,
  StartDrain,
  StartServerDrain,
  StopListener,
  WorkerCommand,
} from "../../shared/protocol/worker-command.ts";
import type { WorkerAnswer, WorkerEvent } from "../../shared/protocol/worker-event.ts";
import { type MovedConnection, descriptorsOf } from "../../shared/protocol/moved-connection.ts";
import type { HandedConnection } from "../../shared/protocol/worker-init.ts";
import type { WorkerTls } from "../network/tls-contexts.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import type { WorkerClusterTable } from "../upstream/worker-cluster-table.ts";
import type { WorkerRuntime } from "../upstream/worker-runtime.ts";
import { ActiveDrain } from "./active-drain.ts";
import { ActiveListener, type ListenerEnvironment } from "./active-listener.ts";
import { releaseAccepted } from "./listener-counters.ts";
import { ConnectionBalancer, type HandedConnectionHandler } from "./connection-balancer.ts";
import { DrainOrders } from "./drain-orders.ts";
import type { FilterVersions } from "./filter-versions.ts";
import { GivenConnections } from "./given-connections.ts";
import { ListenerAddresses } from "./listener-addresses.ts";
import type { NamedTable } from "./named-table.ts";
import type { OnDemandWaits } from "./on-demand-waits.ts";
import type { WorkerRouteTable } from "./route-table.ts";
import type { WorkerScopeTable } from "./scope-table.ts";

export interface ConnectionHandlerParts {
  readonly worker: WorkerContext;
  readonly runtime: WorkerRuntime;
  readonly clusters: WorkerClusterTable;
  readonly routes: WorkerRouteTable;
  readonly scopes: WorkerScopeTable;
  readonly onDemand: OnDemandWaits;
  readonly secrets: NamedTable<string>;
  readonly tls: WorkerTls;
  readonly filterConfigs: NamedTable<PlainHttpFilterConfig>;
  readonly networkFilters: FilterVersions;
  readonly post: (event: WorkerEvent) => void;
  readonly onBug: (error: unknown) => void;
}

type SetFilterConfig = Extract<WorkerCommand, { readonly kind: "setFilterConfig" }>;
type RemoveFilterConfig = Extract<WorkerCommand, { readonly kind: "removeFilterConfig" }>;
type Lesson = Extract<
  WorkerCommand,
  {
    kind:
      | `${"set" | "remove"}${"Cluster" | "Routes" | "Secret" | "Scopes" | "Tls"}`
      | "setHosts"
      | "setGrpcStats"
      | "setVirtualHosts";
  }
>;

type SteerAccepting = Extract<WorkerCommand, { kind: "setAccepting" | "pauseAccepting" }>;

type Move = Extract<WorkerCommand, { kind: "giveConnections" | "adoptConnections" }>;

/** Commands that are answered by more than "done". */
type Question = Extract<WorkerCommand, { readonly question: number }>;

export class ConnectionHandler implements ListenerEnvironment, HandedConnectionHandler, Disposable {
  readonly worker: WorkerContext;
  readonly balancer: ConnectionBalancer;
  readonly #parts: ConnectionHandlerParts;
  readonly #listeners = new Map<ListenerTag, ActiveListener>();
  readonly #addresses = new ListenerAddresses<ActiveListener>();
  readonly #serverDrains: { readonly drain: ActiveDrain; readonly scope: ServerDrainScope }[] = [];
  readonly #drainOrders: DrainOrders;
  readonly #given: GivenConnections;
  #isHealthCheckFailed = false;
  #isAccepting = true;
  #isPaused = false;
  #nextConnectionId: number;

  constructor(parts: ConnectionHandlerParts) {
    this.#parts = parts;
    this.worker = parts.worker;
    this.balancer = new ConnectionBalancer(parts.worker.init, parts.worker.limits, this);
    this.#nextConnectionId = parts.worker.init.index;
    this.#drainOrders = new DrainOrders(this.#listeners, this.#serverDrains);
    this.#given = new GivenConnections(parts.worker.reactor, parts.post);
  }

  get isHealthCheckFailed(): boolean {
    return this.#isHealthCheckFailed;
  }

  mayAccept(bypassesOverload: boolean): boolean {
    return !this.#isPaused && (this.#isAccepting || bypassesOverload);
  }

  /** All commands but those that are the thread's. */
  handle(
    command: Exclude<WorkerCommand, { kind: "shutdown" | "reopenLogs" | "shrinkHeap" }>,
  ): void {
    switch (command.kind) {
      case "addListener":
        return this.#addListener(command);
      case "updateFilterChains":
        this.#listeners.get(command.tag)?.update(command);
        return this.#done(command.reply);
      case "listenerConfig":
        return this.#listeners.get(command.tag)?.configure(command.config);
      case "stopListener":
      case "reopenListener":
        return this.#stopOrReopen(command);
      case "startDrain":
        return this.#startDrain(command);
      case "drainConnections":
        return this.#drainConnections(command);
      case "moveDrainDeadline":
        return this.#drainOrders.moveDeadline(command);
      case "endDrain":
        return this.#drainOrders.end(command.drain, () => this.#done(command.reply));
      case "cancelDrain":
      case "listRemaining":
      case "countConnections":
        return this.#answer(command);
      case "removeListener":
        return this.#removeListener(command);
      case "startServerDrain":
        return this.#startServerDrain(command);
      case "setHealthCheckFailed":
        this.#isHealthCheckFailed = command.failed;
        return;
      case "setAccepting":
      case "pauseAccepting":
        return this.#steerAccepting(command);
      case "setRuntime":
        this.#parts.runtime.set(command.values);
        return this.#parts.clusters.followRuntime();
      case "setFilterConfig":
        return this.#setFilterConfig(command);
      case "removeFilterConfig":
        return this.#removeFilterConfig(command);
      case "setCluster":
      case "setHosts":
      case "removeCluster":
      case "setGrpcStats":
      case "setSecret":
      case "removeSecret":
      case "setTls":
      case "removeTls":
      case "setRoutes":
      case "removeRoutes":
      case "setVirtualHosts":
      case "setScopes":
      case "removeScopes":
        return this.#learn(command);
      case "answered":
        return this.#parts.onDemand.answered(command.want, command.outcome);
      case "giveConnections":
      case "adoptConnections":
        return this.#move(command);
      case "workerLost":
        return this.balancer.lose(command.worker);
      case "ping":
        return this.#done(command.reply);
      default:
        return command satisfies never;
    }
  }

  /** Connections to another process, or from one. */
  #move(command: Move): void {
    const { tag } = command;
    const listener = this.#listeners.get(tag);
    if (command.kind === "giveConnections") {
      if (listener) this.#given.ask(listener);
      return;
    }
    const { connections, countedAt, stays } = command;
    if (listener) for (const moved of connections) listener.adopt(moved, { countedAt, stays });
    else for (const moved of connections) this.#discard(moved, countedAt);
    this.#done(command.reply);
  }

  #discard(moved: MovedConnection, countedAt: number | undefined): void {
    for (const descriptor of descriptorsOf(moved)) this.worker.reactor.discard(descriptor);
    if (countedAt !== undefined) releaseAccepted(this.worker.limits, countedAt);
  }

  /** What main found out for those who look it up here. */
  #learn(command: Lesson): void {
    switch (command.kind) {
      case "setCluster":
        return this.#parts.clusters.set(command);
      case "setHosts":
        return this.#parts.clusters.setHosts(command);
      case "removeCluster":
        this.#parts.clusters.remove(command.name);
        return this.#done(command.reply);
      case "setGrpcStats":
        return this.#parts.clusters.setGrpcStats(command);
      case "setSecret":
        return this.#parts.secrets.set(command.id, command.text);
      case "removeSecret":
        return this.#parts.secrets.remove(command.id);
      case "setTls":
        this.#parts.tls.set(command.context);
        return this.#done(command.reply);
      case "removeTls":
        return this.#parts.tls.remove(command);
      case "setRoutes":
        return this.#parts.routes.set(command.config);
      case "removeRoutes":
        return this.#parts.routes.remove(command.name);
      case "setVirtualHosts":
        return this.#parts.routes.setVirtualHosts(command);
      case "setScopes":
        return this.#parts.scopes.set(command);
      case "removeScopes":
        return this.#parts.scopes.remove(command.name);
      default:
        return command satisfies never;
    }
  }

  /** Cuts everything. */
  [Symbol.dispose](): void {
    for (const listener of this.#listeners.values()) listener.remove(() => {});
    this.#listeners.clear();
    for (const { drain } of this.#serverDrains) drain[Symbol.dispose]();
    this.balancer[Symbol.dispose]();
    this.#given[Symbol.dispose]();
  }

  // For listeners.

  /** Unique in the process: workers take turns. */
  nextConnectionId(): number {
    const id = this.#nextConnectionId;
    this.#nextConnectionId += this.worker.init.concurrency;
    return id;
  }

  listenerAt(address: SocketAddress): ActiveListener | undefined {
    return this.#addresses.find(address);
  }

  serverDrainsOf(config: ListenerConfig): readonly ActiveDrain[] {
    return this.#serverDrains.flatMap(({ drain, scope }) =>
      isInScope(config, scope) ? [drain] : [],
    );
  }

  post(event: WorkerEvent): void {
    this.#parts.post(event);
  }

  onBug(error: unknown): void {
    this.#parts.onBug(error);
  }

  /**
   * The other worker may have been told of the listener before us: then we hand back. What comes back for
   * a listener that has gone meanwhile has nowhere to go.
   */
  onHanded(connection: HandedConnection): boolean {
    const listener = this.#listeners.get(connection.tag as ListenerTag);
    if (listener) listener.serve(connection.descriptor);
    else if (connection.isReturned) this.#drop(connection);
    return listener !== undefined || connection.isReturned;
  }

  #drop(connection: HandedConnection): void {
    this.worker.reactor.discard(connection.descriptor);
    releaseAccepted(this.worker.limits, connection.connectionCount);
    this.balancer.closed();
  }

  #steerAccepting(command: SteerAccepting): void {
    const isPause = command.kind === "pauseAccepting";
    if (isPause) this.#isPaused = command.isPaused;
    else this.#isAccepting = command.isAccepting;
    for (const listener of this.#listeners.values()) listener.followAccepting();
    if (isPause) this.balancer.whenTaken(() => this.#done(command.reply));
  }

  #addListener(command: AddListener): void {
    const listener = new ActiveListener(command, this);
    this.#listeners.set(command.tag, listener);
    this.#addresses.add(listener, listener.addresses);
    this.#done(command.reply);
  }

  #stopOrReopen(command: StopListener | ReopenListener): void {
    const onDone = (): void => this.#done(command.reply);
    const listener = this.#listeners.get(command.tag);
    if (!listener) return onDone();
    if (command.kind === "stopListener") {
      this.#addresses.delete(listener, listener.addresses);
      return listener.stop(command, onDone);
    }
    this.#addresses.add(listener, listener.addresses);
    listener.reopen(command.sockets);
    onDone();
  }

  #startDrain(command: StartDrain): void {
    const listener = this.#listeners.get(command.tag);
    if (listener) return listener.startDrain(command.drain, command.filterChains);
    // Main counts on a word from every worker.
    this.post({ kind: "drainProgress", drain: command.drain.id, counts: {} });
  }

  #drainConnections(command: DrainConnections): void {
    const listener = this.#listeners.get(command.tag);
    if (listener) return listener.drainConnections(command);
    this.post({ kind: "drainProgress", drain: command.drain.id, counts: {} });
  }

  #setFilterConfig({ id, filter, reply }: SetFilterConfig): void {
    if (filter.category === "network")
      return this.#parts.networkFilters.set(id, filter, () => this.#done(reply));
    this.#parts.filterConfigs.set(id, filter.config);
    this.#done(reply);
  }

  #removeFilterConfig({ id, reply }: RemoveFilterConfig): void {
    this.#parts.filterConfigs.remove(id);
    this.#parts.networkFilters.remove(id, () => this.#done(reply));
  }

  #answer(command: Question): void {
    const { question } = command;
    const answer = this.#answerTo(command);
    if (question !== 0) this.post({ kind: "answer", question, answer });
  }

  #answerTo(command: Question): WorkerAnswer {
    switch (command.kind) {
      case "cancelDrain":
        return { kind: "drainCancelled", told: this.#cancelDrain(command.drain) };
      case "listRemaining": {
        const { drain, limit } = command;
        return { kind: "remaining", connections: this.#drainOrders.remaining(drain, limit) };
      }
      case "countConnections": {
        const counts = this.#listeners.get(command.tag)?.connectionsByChain() ?? [];
        return { kind: "connectionCounts", counts };
      }
      default:
        return command satisfies never;
    }
  }

  #cancelDrain(id: DrainId): number {
    const told = this.#drainOrders.cancel(id);
    const index = this.#serverDrains.findIndex(({ drain }) => drain.start.id === id);
    if (index >= 0) this.#serverDrains.splice(index, 1);
    return told;
  }

  #removeListener(command: RemoveListener): void {
    const listener = this.#listeners.get(command.tag);
    if (!listener) return this.#done(command.reply);
    this.#addresses.delete(listener, listener.addresses);
    listener.remove(() => {
      this.#listeners.delete(command.tag);
      this.#done(command.reply);
    });
  }

  #startServerDrain({ drain: start, scope }: StartServerDrain): void {
    const drain = new ActiveDrain(start, this.worker, (event) => this.post(event));
    this.#serverDrains.push({ drain, scope });
    for (const listener of this.#listeners.values()) listener.joinServerDrain(drain, scope);
    drain.report();
  }

  #done(reply: ReplyId): void {
    if (reply !== 0) this.post({ kind: "done", reply });
  }
}
