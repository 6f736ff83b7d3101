/**
 * Real workers without a control plane: the test is main. On epoll each worker is a thread with the real
 * entry; on node the one worker runs in the test's own thread, as it does in the product.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { startWorker } from "../../src/data/connection-handler/worker.ts";
import { drainId, listenerTag, type ListenerTag } from "../../src/shared/common/brand.ts";
import { logComponents } from "../../src/shared/common/log.ts";
import type { ClusterConfig, HostConfig } from "../../src/shared/config/cluster-config.ts";
import type { ListenerConfig } from "../../src/shared/config/listener-config.ts";
import {
  type DrainCounts,
  type DrainedProtocol,
  type DrainStart,
  drainPolicyDefaults,
  noDrainCounts,
} from "../../src/shared/drain/drain.ts";
import {
  type HttpFilterModules,
  loadHttpFilters,
} from "../../src/shared/http-filter/load-filters.ts";
import { createEpollListenSockets } from "../../src/shared/io/epoll-listen-sockets.ts";
import type { ListenSockets, OwnedListenSocket } from "../../src/shared/io/listen-sockets.ts";
import { NodeListenSockets } from "../../src/shared/io/node-listen-sockets.ts";
import { createNodeReactor } from "../../src/shared/io/node-reactor.ts";
import type { ListenSocketRef } from "../../src/shared/io/reactor.ts";
import {
  clusterLimitSlots,
  type BlocksByPrefix,
  noTlsBlocks,
  type TlsBlocks,
  type ListenerSlots,
  type WorkerCommand,
} from "../../src/shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../src/shared/protocol/worker-event.ts";
import { limitLayout, type WorkerInit } from "../../src/shared/protocol/worker-init.ts";
import { createSlab } from "../../src/shared/stats/slab.ts";
import type { StatBlock, StatGroup } from "../../src/shared/stats/stat-group.ts";
import {
  clusterMembershipStats,
  clusterStats,
  credentialInjectorStats,
  hostStats,
  http1Stats,
  http2Stats,
  httpStats,
  listenerHttpStats,
  listenerStats,
  listenerWorkerStats,
  sluiceWorkerStats,
  tcpOnDemandStats,
  tcpStats,
} from "../../src/shared/stats/stat-names.ts";
import { tlsFactoryStats, tlsStats } from "../../src/shared/stats/tls-stats.ts";
import { loopback, plainListen } from "./reactors.ts";
import { destroyClients } from "./tcp-peers.ts";
import { noOverloadSlots } from "../../src/shared/protocol/overload.ts";

type CountsByProtocol = Extract<WorkerEvent, { kind: "drainProgress" }>["counts"];
export type ReactorKind = "epoll" | "node";

export interface TestWorkerOptions {
  readonly kind: ReactorKind;
  readonly concurrency?: number;
  readonly httpFilterFiles?: readonly string[];
}

/** One listener as main knows it. */
export interface TestListener {
  readonly tag: ListenerTag;
  readonly slots: ListenerSlots;
  readonly socket: OwnedListenSocket;
  readonly port: number;
}

interface WorkerLink {
  post(command: WorkerCommand): void;
  readonly exited: Promise<number>;
  terminate(): Promise<void>;
}

const wanted = process.env["SLUICE_REACTOR"];

interface EachKindOptions extends Omit<TestWorkerOptions, "kind"> {
  readonly only?: ReactorKind;
  /**
   * Threads that serve one test of the file after the other, each with listeners and clusters of its own: to start them
   * costs more than most tests do. For those that look at no more than these, and set nothing else.
   */
  readonly isShared?: true;
}

const shared = new Map<string, TestWorkers>();
after(() => Promise.all([...shared.values()].map((workers) => workers.end())));

/** Runs a test on every reactor the machine has; the workers end with it, or are made ready for the next. */
export function forEachWorkerKind(
  name: string,
  options: EachKindOptions,
  body: (workers: TestWorkers) => Promise<void>,
): void {
  for (const kind of ["epoll", "node"] as const) {
    const isLeftOut = options.only !== undefined && options.only !== kind;
    if (isLeftOut || (wanted !== undefined && wanted !== kind)) continue;
    if (kind === "epoll" && process.platform !== "linux") continue;
    const concurrency = kind === "node" ? 1 : (options.concurrency ?? 2);
    test(`${name} [${kind}]`, { timeout: 60_000 }, async () => {
      const wantedWorkers = { ...options, kind, concurrency };
      const key = options.isShared && kind === "epoll" ? JSON.stringify(wantedWorkers) : undefined;
      const workers = shared.get(key ?? "") ?? (await startTestWorkers(wantedWorkers));
      // Those of a test that failed are not the next one's.
      if (key !== undefined) shared.delete(key);
      let isReusable = false;
      try {
        await body(workers);
        assert.deepEqual(workers.bugs, []);
        isReusable = key !== undefined;
      } finally {
        await (isReusable ? workers.clear() : workers.end());
      }
      if (key !== undefined) shared.set(key, workers);
    });
  }
}

export async function startTestWorkers(options: TestWorkerOptions): Promise<TestWorkers> {
  const httpFilters = await loadHttpFilters(options.httpFilterFiles ?? []);
  const workers = new TestWorkers(options, httpFilters);
  await workers.until((event) => event.kind === "ready", workers.concurrency);
  return workers;
}

export class TestWorkers {
  readonly concurrency: number;
  readonly listenSockets: ListenSockets;
  /** Every event, in order of arrival, with its worker. */
  readonly events: { readonly worker: number; readonly event: WorkerEvent }[] = [];
  readonly #links: readonly WorkerLink[];
  readonly #slabs: readonly SharedArrayBuffer[];
  readonly #limits = new SharedArrayBuffer(64 * 1024 * 4);
  #opened: OwnedListenSocket[] = [];
  readonly #tags = new Set<ListenerTag>();
  readonly #clusters = new Set<string>();
  readonly #watchers = new Set<() => void>();
  readonly sluice: StatBlock;
  #nextBlock: StatBlock = 1;
  #nextLimit: number = limitLayout.firstFree;
  #nextReply = 1;
  #nextTag = 1;
  #nextDrain = 1;

  constructor(
    { kind, concurrency = 2, httpFilterFiles = [] }: TestWorkerOptions,
    httpFilters: HttpFilterModules,
  ) {
    this.concurrency = concurrency;
    this.#slabs = Array.from({ length: concurrency }, () => createSlab());
    const nodeSockets = new NodeListenSockets();
    this.listenSockets = kind === "node" ? nodeSockets : createEpollListenSockets();
    this.sluice = this.block(sluiceWorkerStats);
    const peers = peerPorts(concurrency);
    const logLevels = new SharedArrayBuffer(logComponents.length * 4);
    new Int32Array(logLevels).fill(2);
    this.#links = peers.map((ports, index) => {
      const init: WorkerInit = {
        index,
        concurrency,
        reactor: kind,
        slab: this.#slabs[index] as SharedArrayBuffer,
        limits: this.#limits,
        logLevels,
        slots: { sluice: this.sluice, dispatcher: undefined, overload: noOverloadSlots },
        pulseMs: 50,
        peers: ports,
        arenaBytesMax: 64 * 1024 * 1024,
        fileFlushIntervalMs: 100,
        fileFlushMinBytes: 1024,
        accessLogBytes: this.#nextLimit++,
        httpFilterFiles,
      };
      const onEvent = (event: WorkerEvent): void => this.#onEvent(index, event);
      if (kind === "epoll") return inThread(init, onEvent);
      return inProcess(init, { sockets: nodeSockets, httpFilters }, onEvent);
    });
  }

  block(group: StatGroup): StatBlock {
    const block = this.#nextBlock;
    this.#nextBlock += group.size;
    return block;
  }

  limit(size: number): number {
    const index = this.#nextLimit;
    this.#nextLimit += size;
    return index;
  }

  /** What workers counted, over all of them or of one. */
  stat<Name extends string>(
    group: StatGroup<Name>,
    block: StatBlock,
    name: Name,
    worker?: number,
  ): number {
    const slabs = worker === undefined ? this.#slabs : this.#slabs.slice(worker, worker + 1);
    const values = slabs.map((slab) => new Float64Array(slab)[block + group.offset(name)] ?? 0);
    return values.reduce((sum, value) => sum + value, 0);
  }

  sharedLimit(index: number): number {
    return Atomics.load(new Int32Array(this.#limits), index);
  }

  /** Error logs of workers: a test that expects none need not look. */
  get bugs(): string[] {
    return this.events.flatMap(({ event }) =>
      event.kind === "log" && ["error", "critical"].includes(event.record.level)
        ? [event.record.message]
        : [],
    );
  }

  post(command: WorkerCommand, worker?: number): void {
    for (const [index, link] of this.#links.entries()) {
      if (worker === undefined || worker === index) link.post(command);
    }
  }

  /** Sends a command to all workers, or to one, and waits until it is carried out. */
  async request(build: (reply: number) => WorkerCommand, worker?: number): Promise<void> {
    const reply = this.#nextReply++;
    this.post(build(reply), worker);
    const count = worker === undefined ? this.concurrency : 1;
    await this.until((event) => event.kind === "done" && event.reply === reply, count);
  }

  /** Resolves when so many events that match have come, since the start. */
  async until(matches: (event: WorkerEvent) => boolean, count = 1): Promise<void> {
    await this.untilTrue(() => this.events.filter(({ event }) => matches(event)).length >= count);
  }

  /** Looked at after each event; stats change without one, see `untilStat`. */
  untilTrue(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isTrue()) return;
        this.#watchers.delete(check);
        resolve();
      };
      this.#watchers.add(check);
      check();
    });
  }

  /** Asks the workers again and again, by pings, until it is true. */
  async untilCounted(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await this.request((reply) => ({ kind: "ping", reply }));
  }

  async openSocket(address = loopback): Promise<OwnedListenSocket> {
    const result = await this.listenSockets.openListenSocket(address, plainListen);
    assert(result.ok, result.ok ? "" : result.error);
    assert.equal(result.socket.startListening(), undefined);
    this.#opened.push(result.socket);
    return result.socket;
  }

  slots(prefixes: {
    readonly tcp?: readonly string[];
    readonly http?: readonly string[];
    /** Under which runtime may limit its connections. */
    readonly name?: string;
    readonly ignoresGlobalLimit?: boolean;
    /** It has a filter chain that speaks TLS. */
    readonly tls?: boolean;
  }): ListenerSlots {
    const blocks = (names: readonly string[], group: StatGroup): BlocksByPrefix =>
      names.map((name) => [name, this.block(group)] as const);
    return {
      listener: this.block(listenerStats),
      worker: this.block(listenerWorkerStats),
      http: blocks(prefixes.http ?? [], httpStats),
      listenerHttp: blocks(prefixes.http ?? [], listenerHttpStats),
      http1: this.block(http1Stats),
      http2: this.block(http2Stats),
      tcp: blocks(prefixes.tcp ?? ["t"], tcpStats),
      listenerFilters: [],
      credentialInjector: blocks(prefixes.http ?? [], credentialInjectorStats),
      tls: prefixes.tls ? this.tlsBlocks() : noTlsBlocks,
      tcpOnDemand: blocks(prefixes.tcp ?? [], tcpOnDemandStats),
      connectionCount: this.limit(1),
      tokenBuckets: 0,
      name: prefixes.name ?? "",
      bypassesOverload: false,
      ignoresGlobalLimit: prefixes.ignoresGlobalLimit ?? false,
    };
  }

  tlsBlocks(): TlsBlocks {
    return { connection: this.block(tlsStats), factory: this.block(tlsFactoryStats) };
  }

  async addListener(
    config: ListenerConfig,
    options: {
      readonly slots?: ListenerSlots;
      readonly isLazy?: boolean;
      /** False: does not wait until the workers have it. */
      readonly answer?: boolean;
      /** Only this worker gets it. */
      readonly worker?: number;
      readonly socket?: OwnedListenSocket;
    } = {},
  ): Promise<TestListener> {
    const socket = options.socket ?? (await this.openSocket());
    const slots = options.slots ?? this.slots({});
    const tag = listenerTag(this.#nextTag++);
    this.#tags.add(tag);
    const add = (reply: number): WorkerCommand => ({
      kind: "addListener",
      tag,
      config: options.isLazy ? undefined : config,
      sockets: [socket.ref],
      unboundAddresses: [],
      slots,
      reply,
    });
    if (options.answer === false) this.post(add(0));
    else await this.request(add, options.worker);
    return { tag, slots, socket, port: portOf(socket.ref) };
  }

  setCluster(
    config: ClusterConfig,
    hosts: readonly HostConfig[],
  ): {
    readonly stats: StatBlock;
    readonly membership: StatBlock;
    readonly limits: number;
    readonly hostBlocks: readonly StatBlock[];
    readonly tls: TlsBlocks;
    readonly http1: StatBlock;
    readonly http2: StatBlock;
  } {
    const tls = this.tlsBlocks();
    const stats = this.block(clusterStats);
    const http1 = this.block(http1Stats);
    const http2 = this.block(http2Stats);
    const limits = this.limit(clusterLimitSlots);
    const hostBlocks = hosts.map(() => this.block(hostStats));
    const membership = this.block(clusterMembershipStats);
    const blocks = { stats, membership, tls, http1, http2 };
    this.#clusters.add(config.name);
    this.post({ kind: "setCluster", config, hosts, hostBlocks, ...blocks, limits });
    return { ...blocks, limits, hostBlocks };
  }

  /** As main stops a listener: everywhere, then the queue is emptied by one, then the socket closes. */
  async stopListener({ tag, socket }: TestListener): Promise<void> {
    const stop = (emptyQueue: boolean, worker: number): Promise<void> =>
      this.request((reply) => ({ kind: "stopListener", tag, emptyQueue, reply }), worker);
    for (let worker = 1; worker < this.concurrency; worker++) await stop(false, worker);
    await stop(true, 0);
    socket.close();
  }

  async removeListener({ tag }: Pick<TestListener, "tag">): Promise<void> {
    this.#tags.delete(tag);
    await this.request((reply) => ({ kind: "removeListener", tag, reply }));
  }

  startDrain(
    listener: TestListener,
    options: {
      readonly durationMs: number;
      readonly filterChains?: readonly string[];
      readonly start?: Partial<DrainStart>;
    },
  ): DrainStart {
    const startMs = performance.now();
    const drain: DrainStart = {
      id: drainId(this.#nextDrain++),
      cause: "lds-remove",
      startMs,
      deadlineMs: startMs + options.durationMs,
      strategy: "immediate",
      ...drainPolicyDefaults,
      idleGraceMs: 100,
      cutsAtDeadline: true,
      ...options.start,
    };
    this.post({ kind: "startDrain", tag: listener.tag, filterChains: options.filterChains, drain });
    return drain;
  }

  /** The latest counts of all workers, summed over protocols; undefined until each has reported. */
  drainCounts(drain: DrainStart): DrainCounts | undefined {
    const latest = this.#latestCounts(drain);
    return latest.length < this.concurrency ? undefined : sumOf(latest.flatMap(Object.values));
  }

  /** The same of one protocol, by what has been reported so far. */
  drainCountsOf(drain: DrainStart, protocol: DrainedProtocol): DrainCounts {
    return sumOf(this.#latestCounts(drain).flatMap((counts) => counts[protocol] ?? []));
  }

  #latestCounts({ id }: DrainStart): CountsByProtocol[] {
    const latest = new Map<number, CountsByProtocol>();
    for (const { worker, event } of this.events) {
      if (event.kind === "drainProgress" && event.drain === id) latest.set(worker, event.counts);
    }
    return [...latest.values()];
  }

  /** As if they had just started, but for what they have counted. */
  async clear(): Promise<void> {
    destroyClients();
    for (const tag of this.#tags) await this.removeListener({ tag });
    for (const name of this.#clusters)
      await this.request((reply) => ({ kind: "removeCluster", name, reply }));
    for (const socket of this.#opened) socket.close();
    this.#clusters.clear();
    this.#opened = [];
    this.events.length = 0;
  }

  async end(): Promise<void> {
    this.post({ kind: "shutdown" });
    await Promise.all(this.#links.map((link) => link.exited));
    for (const socket of this.#opened) socket.close();
    destroyClients();
  }

  get links(): readonly WorkerLink[] {
    return this.#links;
  }

  #onEvent(worker: number, event: WorkerEvent): void {
    this.events.push({ worker, event });
    for (const check of this.#watchers) check();
  }
}

export function portOf({ localAddress }: ListenSocketRef): number {
  return localAddress.kind === "ip" ? localAddress.port : 0;
}

function peerPorts(concurrency: number): (MessagePort | undefined)[][] {
  const ports: (MessagePort | undefined)[][] = Array.from({ length: concurrency }, () =>
    Array.from({ length: concurrency }, () => undefined),
  );
  for (let a = 0; a < concurrency; a++) {
    for (let b = a + 1; b < concurrency; b++) {
      const channel = new MessageChannel();
      (ports[a] as (MessagePort | undefined)[])[b] = channel.port1;
      (ports[b] as (MessagePort | undefined)[])[a] = channel.port2;
    }
  }
  return ports;
}

const entry = new URL("../../src/data/connection-handler/worker-main.ts", import.meta.url);

function inThread(init: WorkerInit, onEvent: (event: WorkerEvent) => void): WorkerLink {
  const transferList = init.peers.filter((port) => port !== undefined);
  const worker = new Worker(entry, { workerData: init, transferList });
  worker.on("message", (events: readonly WorkerEvent[]) => {
    for (const event of events) onEvent(event);
  });
  const exited = new Promise<number>((resolve) => {
    worker.on("exit", resolve);
  });
  return {
    post: (command) => worker.postMessage([command]),
    exited,
    terminate: async () => void (await worker.terminate()),
  };
}

interface InProcessParts {
  readonly sockets: NodeListenSockets;
  readonly httpFilters: HttpFilterModules;
}

function inProcess(
  init: WorkerInit,
  { sockets, httpFilters }: InProcessParts,
  onEvent: (event: WorkerEvent) => void,
): WorkerLink {
  const { port1, port2 } = new MessageChannel();
  const exited = Promise.withResolvers<number>();
  port1.on("message", (events: readonly WorkerEvent[]) => {
    for (const event of events) onEvent(event);
    if (events.at(-1)?.kind !== "exited") return;
    exited.resolve(0);
    port1.close();
  });
  const createReactor = (options: Parameters<typeof createNodeReactor>[0]) =>
    createNodeReactor(options, sockets);
  const worker = startWorker(init, port2, { createReactor, httpFilters });
  return {
    post: (command) => port1.postMessage([command]),
    exited: exited.promise,
    terminate: () => Promise.resolve(worker[Symbol.dispose]()),
  };
}

function sumOf(counts: readonly DrainCounts[]): DrainCounts {
  const sum: { -readonly [key in keyof DrainCounts]: number } = { ...noDrainCounts };
  for (const each of counts) {
    for (const key of Object.keys(sum) as (keyof DrainCounts)[]) sum[key] += each[key];
  }
  assert.equal(sum.atStart, sum.finished + sum.closedByPeer + sum.forced + sum.remaining);
  return sum;
}
