import assert from "node:assert/strict";
import type { Random } from "../../src/shared/common/random.ts";
import { type ListenerSketch, decodedListener } from "../support/config-builders.ts";
import type { FakeConnection, FakeWorker } from "../support/fake-worker.ts";
import { ListenerHarness } from "../support/listener-harness.ts";
import { DrainReferee } from "./drain-referee.ts";

const names = ["a", "b", "c", "d", "e"];
const addresses = [1, 2, 3, 4, 5, 6].map((port) => `127.0.0.1:${port}`);
const chains = ["x", "y", "z"];
const routes = ["r1", "r2"];

/**
 * A control plane and a crowd of clients that do anything at any time, against a real listener manager with fake
 * workers that answer late. Everything follows from the random numbers, so a seed replays it.
 */
export class ListenerWorld {
  readonly harness: ListenerHarness;
  readonly #random: Random;
  readonly #referee: DrainReferee;
  readonly #open: { readonly worker: FakeWorker; readonly connection: FakeConnection }[] = [];
  #pending: Promise<void> | undefined;
  #version = 0;

  private constructor(random: Random) {
    this.#random = random;
    const maxGenerations = 1 + this.#below(4);
    this.harness = new ListenerHarness({
      workers: 1 + this.#below(3),
      lazyThreshold: this.#below(4),
      drain: { maxGenerations },
      delayMs: () => this.#below(4) * this.#below(20),
    });
    this.#referee = new DrainReferee(this.harness, maxGenerations);
    for (const worker of this.harness.workers) worker.queueDepth = () => this.#below(3);
  }

  static async create(random: Random): Promise<ListenerWorld> {
    const world = new ListenerWorld(random);
    if (world.#chance(0.8)) await world.#wait(world.harness.manager.startWorkers());
    return world;
  }

  /** One thing happens, then time goes by, then everything that must hold is checked. */
  async step(): Promise<void> {
    this.#act();
    await this.harness.clock.advance(this.#chance(0.05) ? 5_000 : this.#below(50));
    this.#forgetClosed();
    this.#check();
  }

  /** Lets everything come to rest; then workers must hold exactly what is active. */
  async rest(): Promise<void> {
    const { harness } = this;
    await this.#wait(harness.manager.startWorkers());
    // xDS answers in the end, if only by its timeout; until then a listener that wants them rightly warms.
    for (const route of routes) await harness.sendRoutes(route);
    await this.#idle();
    await harness.clock.advance(3_600_000);
    await this.#idle();
    this.#forgetClosed();
    this.#check();
    const { listeners } = harness.manager.view();
    assert.deepEqual([...harness.names("warming"), ...harness.names("draining")], []);
    const tags = listeners.map(({ tag }) => tag).toSorted((a, b) => a - b);
    for (const worker of harness.workers) {
      assert.deepEqual(
        [...worker.listeners.keys()].toSorted((a, b) => a - b),
        tags,
      );
    }
    const bound = listeners.filter(isBound).flatMap(({ localAddresses }) => localAddresses).length;
    const open = new Set([...harness.kernel.open.values()].map(({ address }) => address));
    assert.equal(open.size, bound, "open sockets");
    assert.equal(harness.registry.active.length, 0);
  }

  /** Removes everything; then nothing may be held anywhere. */
  async end(): Promise<void> {
    const { harness } = this;
    this.#push([], names);
    await this.#idle();
    await harness.clock.advance(3_600_000);
    await this.#idle();
    await harness.settle();
    harness.assertNothingIsHeld();
  }

  #act(): void {
    const acts = [
      () => this.#randomPush(),
      () => this.#randomPush(),
      () => this.#connect(),
      () => this.#connect(),
      () => this.#connect(),
      () => this.#disconnect(),
      () => this.#disconnect(),
      () => this.#handOver(),
      () => this.#answerRoutes(),
      () => this.#startDrain(),
      () => this.#steer(),
      () => this.#toggle(this.harness.kernel.unbindable),
      () => this.#toggle(this.harness.kernel.deaf),
    ];
    this.#pick(acts)();
  }

  /** One push at a time, as on a stream: the next response is read when this one is answered. */
  #randomPush(): void {
    const changed = this.#some(names).map((name) => this.#sketch(name));
    const removed = this.#some(names).filter((name) => changed.every((each) => each.name !== name));
    this.#push(changed, removed);
  }

  #push(changed: readonly ListenerSketch[], removed: readonly string[]): void {
    const apply = (): Promise<void> =>
      this.harness.manager.apply({
        version: `v${++this.#version}`,
        changed: changed.map((sketch) => ({ value: decodedListener(sketch) })),
        removed,
        refuse: () => {},
      });
    this.#pending = (this.#pending ?? Promise.resolve()).then(apply);
  }

  #sketch(name: string): ListenerSketch {
    return {
      name,
      address: this.#pick(addresses),
      chains: ["base", ...this.#some(chains)],
      routes: this.#chance(0.3) ? this.#some(routes) : [],
      requiredClusters: this.#chance(0.05) ? ["nowhere"] : [],
      ...(this.#chance(0.2) ? { revision: `${this.#below(3)}` } : {}),
      ...(this.#chance(0.1) ? { spelling: `${this.#below(9)}` } : {}),
      config: {
        drainPolicy: this.#chance(0.5) ? { timeMs: this.#below(20_000) } : {},
        enableReusePort: this.#chance(0.05),
        bindToPort: !this.#chance(0.05),
        statPrefix: this.#chance(0.3) ? this.#pick(names) : "",
      },
    };
  }

  #connect(): void {
    const worker = this.#pick(this.harness.workers);
    const tags = [...worker.listeners.keys()];
    if (tags.length === 0) return;
    const tag = this.#pick(tags);
    const connection = worker.connect(tag, this.#pick(["base", ...chains]));
    if (connection) this.#open.push({ worker, connection });
  }

  #handOver(): void {
    const worker = this.#pick(this.harness.workers);
    const tags = [...worker.listeners.keys()];
    if (tags.length > 0) worker.handOver(this.#pick(tags), this.#pick(this.harness.workers));
  }

  #disconnect(): void {
    const [chosen] = this.#open.splice(this.#below(this.#open.length || 1), 1);
    if (!chosen) return;
    if (this.#chance(0.5)) chosen.worker.disconnect(chosen.connection);
    else chosen.worker.finish(chosen.connection);
  }

  #answerRoutes(): void {
    const name = this.#pick(routes);
    if (this.#chance(0.6)) void this.harness.sendRoutes(name);
    else this.harness.routeState(name).next({ kind: "absent", reason: "timeout" });
  }

  #startDrain(): void {
    const timeMs = this.#chance(0.7) ? this.#below(20_000) : undefined;
    const strategy = this.#pick(["gradual", "immediate", undefined] as const);
    const inboundOnly = this.#chance(0.5);
    const percent = this.#chance(0.5) ? 100 : undefined;
    const filterChain = this.#chance(0.3) ? this.#pick(["base", ...chains]) : undefined;
    const ofServer = { kind: "server", mode: "keepAccepting", inboundOnly } as const;
    const ofListener = {
      kind: "listener",
      listener: this.#pick(names),
      percent,
      filterChain,
    } as const;
    const scope = this.#chance(0.2) ? ofServer : ofListener;
    void this.harness.drains.start({ scope, timeMs, strategy });
  }

  /** Of any drain that there has been, mostly of one under way; sometimes of none. */
  #steer(): void {
    const { active } = this.harness.registry;
    const id =
      active.length > 0 && this.#chance(0.9) ? this.#pick(active).start.id : this.#below(50);
    const order = this.#pick(["cancel", "end", "extend"] as const);
    void this.#referee.order(id, order, this.#below(10_000));
  }

  #toggle(addressSet: Set<string>): void {
    const address = this.#pick(addresses);
    if (!addressSet.delete(address) && this.#chance(0.3)) addressSet.add(address);
  }

  #check(): void {
    const { harness } = this;
    const { listeners } = harness.manager.view();
    for (const state of ["warming", "active"] as const) {
      const held = harness.names(state);
      assert.equal(new Set(held).size, held.length, `a name is twice ${state}`);
    }
    const serving = listeners.filter(({ state }) => state !== "warming");
    assert.equal(new Set(serving.map(({ tag }) => tag)).size, serving.length, "a tag serves twice");
    this.#referee.check();
  }

  #forgetClosed(): void {
    const stillOpen = this.#open.filter(({ worker, connection }) =>
      worker.connections.has(connection),
    );
    this.#open.splice(0, this.#open.length, ...stillOpen);
  }

  async #idle(): Promise<void> {
    await this.#wait(this.#pending ?? Promise.resolve());
    await this.#wait(this.harness.manager.whenInitialized());
  }

  /** Moves time until the promise settles: workers answer by the clock. */
  async #wait(promise: Promise<void>): Promise<void> {
    let isDone = false;
    const done = promise.then(() => (isDone = true));
    for (let i = 0; i < 10_000 && !isDone; i++) {
      await this.harness.clock.advance(10);
    }
    assert(isDone, "the manager never comes to rest");
    await done;
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }

  #some<T>(from: readonly T[]): T[] {
    return from.filter(() => this.#chance(0.3));
  }
}

/** A sketch's bytes are its own text. */
function isBound({ bytes }: { readonly bytes: Uint8Array }): boolean {
  const { config } = JSON.parse(new TextDecoder().decode(bytes)) as ListenerSketch;
  return config?.bindToPort !== false;
}
