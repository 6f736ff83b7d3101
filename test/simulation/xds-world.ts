import assert from "node:assert/strict";
import type { Dialect } from "../../src/control/xds/conversation.ts";
import { delta } from "../../src/control/xds/delta-conversation.ts";
import { sotw } from "../../src/control/xds/sotw-conversation.ts";
import type { Random } from "../../src/shared/common/random.ts";
import { Dice } from "./dice.ts";
import {
  type ModelResource,
  type ModelResponse,
  ModelServer,
  openSession,
} from "./model-server.ts";
import { AcceptedVersions, Referee } from "./referee.ts";
import { SimulatedProxy } from "./simulated-proxy.ts";
import { type SimulatedStream, SimulatedWire } from "./simulated-wire.ts";
import {
  clusters,
  endpoints,
  listeners,
  routes,
  sketchBytes,
  sketchTypes,
} from "./sketch-types.ts";

const clusterNames = ["c1", "c2", "c3", "c4"];
const services = ["s1", "s2", "s3"];
const listenerNames = ["l1", "l2", "l3"];
const routeNames = ["r1", "r2"];
const addresses = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"];
const namesByType = new Map([
  [clusters.typeUrl, clusterNames],
  [endpoints.typeUrl, services],
  [listeners.typeUrl, listenerNames],
  [routes.typeUrl, routeNames],
]);
const isFullState = (typeUrl: string): boolean =>
  sketchTypes.some((type) => type.typeUrl === typeUrl && type.isFullState);

/**
 * A whole proxy against a control plane that does what control planes do on their worst days. Everything
 * follows from the random numbers, so a seed replays it.
 */
export class XdsWorld {
  readonly dialect: Dialect;
  readonly proxy: SimulatedProxy;
  readonly #dice: Dice;
  readonly #server = new ModelServer();
  readonly #accepted = new AcceptedVersions();
  readonly #wire: SimulatedWire;
  #referee: Referee | undefined;
  #streams = 0;
  #puts = 0;
  #isHostile = true;
  readonly #violations: unknown[] = [];
  #slownessMs: number;

  private constructor(random: Random) {
    this.#dice = new Dice(random);
    this.dialect = this.#dice.chance(0.5) ? sotw : delta;
    this.#slownessMs = this.#dice.pick([0, 5, 50]);
    const wires: SimulatedWire[] = [];
    this.proxy = new SimulatedProxy({
      dialect: this.dialect,
      random,
      workers: 1 + this.#dice.below(2),
      delayMs: () => this.#dice.below(this.#slownessMs + 1),
      transport: (clock) => {
        const wire = new SimulatedWire({
          clock,
          delayMs: () => this.#dice.below(this.#slownessMs + 1),
          refuses: () => this.#isHostile && this.#dice.chance(0.2),
          accept: (stream) => this.#accept(stream),
        });
        wires.push(wire);
        return wire;
      },
    });
    const [wire] = wires;
    assert(wire);
    this.#wire = wire;
  }

  static async create(random: Random): Promise<XdsWorld> {
    const world = new XdsWorld(random);
    for (const { typeUrl } of sketchTypes) world.#change(typeUrl);
    await world.#pass(world.proxy.harness.manager.startWorkers());
    return world;
  }

  /** One thing happens, then time goes by, then everything that must hold is checked. */
  async step(): Promise<void> {
    this.#act();
    await this.proxy.harness.clock.advance(
      this.#dice.chance(0.03) ? 16_000 : this.#dice.below(2 * this.#slownessMs + 5),
    );
    this.#check();
  }

  /** The server comes to its senses and says everything anew: then the proxy is what the server says. */
  async rest(): Promise<void> {
    this.#isHostile = false;
    const { clock } = this.proxy.harness;
    await clock.advance(60_000);
    for (const { typeUrl } of sketchTypes) this.#denyStrangers(typeUrl);
    for (let round = 0; round < 2; round++) {
      for (const { typeUrl } of sketchTypes) {
        for (const name of this.#server.resourcesOf(typeUrl).keys()) this.#put(typeUrl, name, true);
        this.#push(typeUrl);
      }
      await clock.advance(40_000);
      this.#check();
    }
    this.#checkEqual();
  }

  /** Removes everything; then nobody may hold anything. */
  async end(): Promise<void> {
    for (const { typeUrl } of sketchTypes.toReversed()) {
      for (const name of namesByType.get(typeUrl) ?? []) this.#server.remove(typeUrl, name);
      this.#push(typeUrl);
    }
    await this.proxy.harness.clock.advance(60_000);
    this.#checkEqual();
    this.proxy.end();
  }

  #accept(stream: SimulatedStream): Referee {
    const session = openSession(this.#server, this.dialect, ++this.#streams, isFullState);
    const referee: Referee = new Referee({
      session,
      isDelta: this.dialect === delta,
      accepted: this.#accepted,
      send: (response) => this.#send(stream, referee, response),
      answered: (response, error) => this.#onAnswer(response, error),
      held: (typeUrl, versions) => this.#onHeld(typeUrl, versions),
      violated: (error) => this.#violations.push(error),
    });
    this.#referee = referee;
    return referee;
  }

  #send(stream: SimulatedStream, referee: Referee, response: ModelResponse): void {
    const message = referee.session.write(response);
    referee.onSent(message, response);
    stream.respond(message);
  }

  #act(): void {
    const { typeUrl } = this.#dice.pick(sketchTypes);
    const acts = [
      () => this.#change(typeUrl),
      () => this.#change(typeUrl),
      () => this.#change(typeUrl),
      () => this.#change(typeUrl),
      () => this.#push(typeUrl),
      () => this.#push(typeUrl, (name) => this.#dice.chance(0.5) || name === "s1"),
      () => this.#repeat(),
      () => this.#sendNonsense(typeUrl),
      () => this.#wire.current?.clog(this.#dice.below(100)),
      () => this.#breakSometimes(),
    ];
    this.#dice.pick(acts)();
  }

  /** Some resources of a type become others, or go; mostly the client is told at once. */
  #change(typeUrl: string): void {
    for (const name of this.#dice.some(namesByType.get(typeUrl) ?? [], 0.5)) {
      if (this.#dice.chance(0.2)) this.#server.remove(typeUrl, name);
      else this.#put(typeUrl, name, false);
    }
    if (this.#dice.chance(0.8)) this.#push(typeUrl);
  }

  #put(typeUrl: string, name: string, isGood: boolean): void {
    const sketch = { ...this.#sketch(typeUrl, name, isGood), name, count: ++this.#puts };
    const isBad = !isGood && this.#dice.chance(0.1);
    this.#server.put(typeUrl, name, sketchBytes(isBad ? { ...sketch, isBad } : sketch));
  }

  #sketch(typeUrl: string, name: string, isGood: boolean): object {
    const dice = this.#dice;
    if (typeUrl === clusters.typeUrl) {
      const kind = dice.below(8);
      if (kind === 0) return { dns: ["one.test:80"] };
      return kind < 3 ? { hosts: dice.some(addresses) } : { eds: dice.pick(services) };
    }
    if (typeUrl === endpoints.typeUrl) return { hosts: dice.some(addresses) };
    if (typeUrl === routes.typeUrl)
      return { clusters: this.#clusters(isGood), validateClusters: dice.chance(0.2) };
    return {
      // Each its own address in the end; before that they may be after the same one.
      address: isGood || dice.chance(0.8) ? `127.0.0.1:${name.slice(1)}` : "127.0.0.1:1",
      chains: ["base", ...dice.some(["x", "y"])],
      routes: dice.some(routeNames, 0.5),
      cluster: dice.pick(clusterNames),
      requiredClusters: dice.chance(0.2) ? this.#clusters(isGood) : [],
    };
  }

  /** `isGood`: those that the server has. */
  #clusters(isGood: boolean): readonly string[] {
    const known = this.#server.resourcesOf(clusters.typeUrl);
    return this.#dice.some(clusterNames, 0.4).filter((name) => !isGood || known.has(name));
  }

  #push(typeUrl: string, only?: (name: string) => boolean): void {
    const [stream, referee] = [this.#wire.current, this.#referee];
    if (!stream || stream.isOver || !referee) return;
    const response = referee.session.push(typeUrl, only);
    if (response) this.#send(stream, referee, response);
  }

  /** A response that was sent before, to the letter: an old nonce, and it may be of long ago. */
  #repeat(): void {
    const [stream, referee] = [this.#wire.current, this.#referee];
    if (!stream || stream.isOver || !referee || referee.history.length === 0) return;
    this.#send(stream, referee, this.#dice.pick(referee.history));
  }

  /** What was never there but in nonsense is not there. In the state of the world silence says so. */
  #denyStrangers(typeUrl: string): void {
    const [stream, referee] = [this.#wire.current, this.#referee];
    if (this.dialect !== delta || !stream || !referee) return;
    const known = this.#server.resourcesOf(typeUrl);
    const names = ["stranger", ...(namesByType.get(typeUrl) ?? [])];
    this.#send(stream, referee, {
      typeUrl,
      nonce: `denial-${++this.#puts}`,
      version: "denial",
      resources: [],
      removedNames: names.filter((name) => !known.has(name)),
    });
  }

  #sendNonsense(typeUrl: string): void {
    const [stream, referee] = [this.#wire.current, this.#referee];
    if (!stream || stream.isOver || !referee) return;
    const response: ModelResponse = {
      typeUrl,
      nonce: `nonsense-${++this.#puts}`,
      version: "nonsense",
      resources: this.#dice.pick(this.#nonsense(typeUrl)),
      removedNames: [],
    };
    const kind = this.#dice.below(8);
    if (kind === 0) this.#send(stream, referee, { ...response, typeUrl: "sketch.Nobody" });
    else if (kind === 1) stream.respond(new Uint8Array([255, 255, 255]));
    else this.#send(stream, referee, response);
  }

  #nonsense(typeUrl: string): (readonly ModelResource[])[] {
    const name = this.#dice.pick(namesByType.get(typeUrl) ?? []);
    const bytes = sketchBytes({ ...this.#sketch(typeUrl, name, false), name });
    const resource: ModelResource = { name, version: "nonsense", bytes };
    return [
      [resource, resource],
      [{ ...resource, typeUrl: "type.googleapis.com/sketch.Other" }],
      [{ ...resource, name: "stranger", bytes: sketchBytes({ name: "stranger", isBad: true }) }],
      [{ ...resource, name: "", bytes: new Uint8Array() }],
      [{ ...resource, bytes: new Uint8Array([10, 200]) }],
    ];
  }

  #breakSometimes(): void {
    if (this.#dice.chance(0.5)) this.#wire.current?.break("14, broken");
  }

  /** An ACK is said of what was applied, and a NACK never without a reason. */
  #onAnswer({ typeUrl, resources, removedNames }: ModelResponse, error: string | undefined): void {
    if (error !== undefined) {
      assert.notEqual(error, "", "refused without a reason");
      return;
    }
    if (!isFullState(typeUrl)) return;
    const held = this.#heldBytes(typeUrl);
    for (const { name, bytes } of resources)
      assert(
        held.some((each) => Buffer.compare(each.bytes, bytes) === 0),
        `${name} was accepted and not applied`,
      );
    const names = new Set(resources.map(({ name }) => name));
    const isGone = (name: string): boolean =>
      this.dialect === delta ? removedNames.includes(name) : !names.has(name);
    for (const { name } of held)
      assert(!isGone(name), `the removal of ${name} was accepted and not applied`);
  }

  /** The versions that a new stream is told are those of what is here. */
  #onHeld(typeUrl: string, versions: ReadonlyMap<string, string>): void {
    if (!isFullState(typeUrl)) return;
    const held = new Set(this.#heldBytes(typeUrl).map(({ name }) => name));
    assert.deepEqual(new Set(versions.keys()), held, `${typeUrl} is held otherwise than said`);
  }

  #heldBytes(typeUrl: string): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
    const { harness, clusters: manager } = this.proxy;
    if (typeUrl === clusters.typeUrl) return manager.view().clusters;
    return harness.manager.view().listeners.filter(({ state }) => state !== "draining");
  }

  #check(): void {
    if (this.#violations.length > 0) throw this.#violations[0];
    assert.deepEqual(this.proxy.violations, []);
    const views = [
      ...this.proxy.clusters.view().clusters.map(({ name, state }) => `cluster ${state} ${name}`),
      ...this.proxy.harness.manager
        .view()
        .listeners.filter(({ state }) => state !== "draining")
        .map(({ name, state }) => `listener ${state} ${name}`),
    ];
    assert.equal(new Set(views).size, views.length, `a name is there twice: ${views.join()}`);
  }

  /** Nothing is on its way: server, managers and workers tell the same story. */
  #checkEqual(): void {
    const { harness, clusters: manager } = this.proxy;
    const told = (typeUrl: string): Readonly<Record<string, string>> =>
      textsOf([...this.#server.resourcesOf(typeUrl).values()]);
    const clusterViews = manager.view().clusters;
    assert.deepEqual(textsOf(clusterViews), told(clusters.typeUrl));
    assert(clusterViews.every(({ state }) => state === "active"));
    const listenerViews = harness.manager.view().listeners;
    assert.deepEqual(textsOf(listenerViews), told(listeners.typeUrl));
    assert(listenerViews.every(({ state }) => state === "active"));
    const assignments = clusterViews.flatMap(({ config: { discovery }, assignment }) =>
      discovery.kind === "eds" && assignment
        ? [{ name: discovery.serviceName, bytes: assignment.bytes }]
        : [],
    );
    assertWithin(textsOf(assignments), told(endpoints.typeUrl));
    assertWithin(textsOf(harness.routes.views()), told(routes.typeUrl));
    this.#checkStatus();
    this.#checkWorkers();
  }

  #checkStatus(): void {
    for (const { resources, typeUrl } of this.proxy.client.status().types)
      for (const { name, state } of resources) {
        // A name that the server never had may stand refused: the state of the world cannot take it back.
        const isKnown = isFullState(typeUrl) || this.#server.resourcesOf(typeUrl).has(name);
        const isFine = state === "acked" || state === "absent" || (!isKnown && state === "nacked");
        assert(isFine, `${typeUrl} ${name} is ${state}`);
      }
  }

  #checkWorkers(): void {
    const { harness, clusters: manager } = this.proxy;
    const hosts = new Map(manager.view().clusters.map((view) => [view.name, view.hosts]));
    const tags = harness.manager.view().listeners.map(({ tag }) => tag);
    const tables = harness.routes.views().map(({ name }) => name);
    for (const worker of harness.workers) {
      const held = [...worker.clusters].map(([name, each]) => [name, each.hosts] as const);
      assert.deepEqual(new Map(held), hosts);
      assert.deepEqual(new Set(worker.listeners.keys()), new Set(tags));
      assert.deepEqual(new Set(worker.routes.keys()), new Set(tables));
    }
  }

  /** Moves time until the promise settles: workers answer by the clock. */
  async #pass(promise: Promise<void>): Promise<void> {
    let isDone = false;
    const done = promise.then(() => (isDone = true));
    for (let i = 0; i < 1_000 && !isDone; i++) await this.proxy.harness.clock.advance(10);
    assert(isDone, "the proxy never comes to rest");
    await done;
  }
}

function textsOf(
  resources: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    resources.map(({ name, bytes }) => [name, Buffer.from(bytes).toString("latin1")]),
  );
}

/** What somebody holds is what the server says; the server may have more that nobody asked for. */
function assertWithin(
  held: Readonly<Record<string, string>>,
  told: Readonly<Record<string, string>>,
): void {
  for (const [name, text] of Object.entries(held))
    if (name in told) assert.equal(text, told[name], name);
}
