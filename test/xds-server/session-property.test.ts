import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ServedResource } from "../../src/xds-server/discovery-wire.ts";
import type { PlannedResponse } from "../../src/xds-server/planned-response.ts";
import { servedTypeOf } from "../../src/xds-server/resource-types.ts";
import { deltaSession, sotwSession, type Session } from "../../src/xds-server/session.ts";
import {
  DeltaModelClient,
  type ModelClient,
  SotwModelClient,
} from "../support/model-xds-client.ts";

/**
 * A server session and a model client, with a wire between them that delivers when it is told to. Whatever was
 * pushed, subscribed and torn down in between: once the wire is empty, the client holds what the server offers.
 */
const cds = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const eds = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const lds = "type.googleapis.com/envoy.config.listener.v3.Listener";
const rds = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const types = [cds, eds, lds, rds] as const;

type Step =
  | { readonly kind: "push"; readonly content: Readonly<Record<string, string>>; typeUrl: string }
  | { readonly kind: "subscribe" | "unsubscribe"; readonly name: string; typeUrl: string }
  | { readonly kind: "toServer" | "toClient" | "reconnect" };

// Few of each, so that steps meet.
const typeUrl = fc.constantFrom(cds, rds, cds, rds, eds, lds);
const name = fc.constantFrom("a", "b", "c");
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("push" as const),
    typeUrl,
    content: fc.dictionary(name, fc.constantFrom("1", "2")),
  }),
  fc.record({
    kind: fc.constantFrom("subscribe" as const, "unsubscribe" as const),
    typeUrl,
    name: fc.oneof(name, fc.constant("*"), name),
  }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("toServer", "toClient") }) },
  fc.record({ kind: fc.constant("reconnect" as const) }),
);

class World {
  readonly client: ModelClient;
  readonly #resources = new Map<string, readonly ServedResource[]>();
  readonly #makeSession: typeof sotwSession;
  #session: Session;
  #toServer: Uint8Array[] = [];
  #toClient: PlannedResponse[] = [];

  constructor(isDelta: boolean, refuses: () => boolean) {
    this.#makeSession = isDelta ? deltaSession : sotwSession;
    this.#session = this.#open();
    const send = (message: Uint8Array): void => void this.#toServer.push(message);
    this.client = isDelta
      ? new DeltaModelClient(send, refuses)
      : new SotwModelClient(send, refuses);
    for (const type of types) this.#resources.set(type, []);
  }

  run(step: Step): void {
    if (step.kind === "push") this.#push(step.typeUrl, step.content);
    else if (step.kind === "subscribe") this.client.subscribe(step.typeUrl, step.name);
    else if (step.kind === "unsubscribe") this.client.unsubscribe(step.typeUrl, step.name);
    else if (step.kind === "toServer") this.#deliverToServer();
    else if (step.kind === "toClient") this.#deliverToClient();
    else this.#reconnect();
  }

  settle(): void {
    for (let rounds = 0; this.#toServer.length + this.#toClient.length > 0; rounds++) {
      assert(rounds < 10_000, "they never stop talking");
      this.#deliverToServer();
      this.#deliverToClient();
    }
  }

  check(): void {
    for (const type of types) {
      const offered = this.#resources.get(type) ?? [];
      const wanted = offered
        .filter((one) => this.client.isWanted(type, one.name))
        .map((one) => Buffer.from(one.bytes).toString());
      // Of a type that comes in parts, state of the world cannot say that one is gone.
      const saysGone = this.#session.isDelta || servedTypeOf(type).isFullState;
      const held = [...this.client.held(type).values()];
      const known = saysGone ? held : held.filter((text) => wanted.includes(text));
      const message = `${servedTypeOf(type).shortName}: what the client holds, what it should`;
      assert.deepEqual(new Set(known), new Set(wanted), message);
      assert.notEqual(this.#session.verdictOn(type)?.kind, "waiting");
    }
  }

  #open(): Session {
    return this.#makeSession({ resourcesFor: (type) => this.#resources.get(type) });
  }

  #push(type: string, content: Readonly<Record<string, string>>): void {
    const resources = Object.entries(content).map(([one, text]) => ({
      name: one,
      typeUrl: type,
      bytes: Buffer.from(`${one}=${text}`),
    }));
    this.#resources.set(type, resources);
    this.#toClient.push(...this.#session.push());
  }

  #deliverToServer(): void {
    const message = this.#toServer.shift();
    if (message) this.#toClient.push(...this.#session.receive(message).responses);
  }

  #deliverToClient(): void {
    const response = this.#toClient.shift();
    if (response) this.client.take(response);
  }

  #reconnect(): void {
    this.#toServer = [];
    this.#toClient = [];
    this.#session = this.#open();
    this.client.connect();
  }
}

for (const isDelta of [false, true]) {
  const variant = isDelta ? "delta" : "state of the world";
  test(`${variant}: after quiet a client holds what the server offers, whatever happened`, () => {
    const runs = fc.record({
      steps: fc.array(step, { maxLength: 80, size: "max" }),
      named: fc.boolean(),
      refusals: fc.infiniteStream(fc.boolean()),
    });
    fc.assert(
      fc.property(runs, ({ steps, named, refusals }) => {
        const world = new World(isDelta, () => refusals.next().value === true);
        for (const type of [cds, lds]) world.client.subscribe(type, named ? "a" : "");
        for (const one of steps) world.run(one);
        world.settle();
        world.check();
      }),
      { numRuns: 500 },
    );
  });
}
