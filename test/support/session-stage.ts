/** A server session with its far end in hand: requests are said in a few words, responses come as they were planned. */
import { writeDeltaRequest } from "../../src/control/xds/delta-request.ts";
import { writeDiscoveryRequest } from "../../src/control/xds/discovery-request.ts";
import type { ServedResource } from "../../src/xds-server/discovery-wire.ts";
import type { PlannedResponse } from "../../src/xds-server/planned-response.ts";
import { servedTypeNamed } from "../../src/xds-server/resource-types.ts";
import { deltaSession, sotwSession, type Session } from "../../src/xds-server/session.ts";
import { textResource } from "./text-resources.ts";

/** Node { id: "n", client_features: ["xds.config.resource-in-sotw"] } */
const node = Buffer.concat([
  Buffer.of(10, 1, 110, 82, 27),
  Buffer.from("xds.config.resource-in-sotw"),
]);

export const typeUrlOf = (type: string): string => servedTypeNamed(type)?.typeUrl ?? type;

export class SessionStage {
  readonly session: Session;
  /** Since the last look. */
  #sent: PlannedResponse[] = [];
  readonly #resources = new Map<string, readonly ServedResource[]>();

  constructor(variant: "sotw" | "delta") {
    const make = variant === "delta" ? deltaSession : sotwSession;
    this.session = make({ resourcesFor: (typeUrl) => this.#resources.get(typeUrl) });
  }

  /** Puts resources on offer; the last of several types pushes them all. */
  offer(
    type: string,
    texts: Readonly<Record<string, string>>,
    more: Partial<ServedResource> = {},
  ): this {
    const typeUrl = typeUrlOf(type);
    const resources = Object.entries(texts).map(([name, text]) => ({
      name,
      typeUrl,
      bytes: textResource(name, text),
      ...more,
    }));
    this.#resources.set(typeUrl, resources);
    return this;
  }

  /** The same, of resources that are made already. */
  offerAs(type: string, resources: readonly ServedResource[]): this {
    this.#resources.set(typeUrlOf(type), resources);
    return this;
  }

  push(): void {
    this.#sent.push(...this.session.push());
  }

  heartbeat(): void {
    this.#sent.push(...this.session.heartbeat());
  }

  ask(type: string, said: Partial<Parameters<typeof writeDiscoveryRequest>[0]> = {}): void {
    const blank = { version: "", node, resourceNames: [], nonce: "", error: undefined };
    const typeUrl = typeUrlOf(type);
    this.#take(this.session.receive(writeDiscoveryRequest({ ...blank, typeUrl, ...said })));
  }

  askDelta(type: string, said: Partial<Parameters<typeof writeDeltaRequest>[0]> = {}): void {
    const lists = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>() };
    const blank = { node, ...lists, nonce: "", error: undefined };
    const typeUrl = typeUrlOf(type);
    this.#take(this.session.receive(writeDeltaRequest({ ...blank, typeUrl, ...said })));
  }

  /** The responses since the last call. */
  taken(): readonly PlannedResponse[] {
    return this.#sent.splice(0);
  }

  /** The same in short: `CDS a,b -c`. */
  said(): readonly string[] {
    return this.taken().map(({ typeUrl, resources, removedNames }) => {
      const type = servedTypeNamed(typeUrl)?.shortName ?? typeUrl;
      const names = resources.map(({ name }) => name).join();
      return [type, names, ...removedNames.map((name) => `-${name}`)].join(" ").trim();
    });
  }

  #take({ responses }: ReturnType<Session["receive"]>): void {
    this.#sent.push(...responses);
  }
}
