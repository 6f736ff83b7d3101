import assert from "node:assert/strict";
import jspb from "google-protobuf";
import { AdsMux, type AdsMuxOptions } from "../../src/control/xds/ads-mux.ts";
import type { Dialect } from "../../src/control/xds/conversation.ts";
import { delta } from "../../src/control/xds/delta-conversation.ts";
import { noXdsStats } from "../../src/control/xds/xds-stats.ts";
import type { ResourceStatus } from "../../src/control/xds/xds-status.ts";
import { readDeltaRequest } from "../../src/xds-server/delta-wire.ts";
import { readDiscoveryRequest } from "../../src/xds-server/discovery-wire.ts";
import { FakeAdsTransport } from "./fake-ads-transport.ts";
import { recordingLogger } from "./recording-logger.ts";
import { seededRandom } from "./seeded-random.ts";
import { textResource } from "./text-resources.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface SentResource {
  readonly name: string;
  /** Default: as the name. */
  readonly text?: string;
  /** In place of a text resource. */
  readonly bytes?: Uint8Array;
  readonly version?: string;
  readonly ttlSeconds?: number;
  readonly aliases?: readonly string[];
  /** The name that the resource itself has, where it is not the wrapper's. */
  readonly innerName?: string;
  /** Of its Any, where that is not the response's. */
  readonly typeUrl?: string;
  readonly isHeartbeat?: boolean;
}

export interface SentResponse {
  readonly resources?: readonly SentResource[];
  readonly version?: string;
  readonly nonce?: string;
  /** Delta: removed. In the state of the world what is not sent of a full-state type is. */
  readonly removed?: readonly string[];
  /** `resource_errors`, NOT_FOUND each. */
  readonly errors?: readonly string[];
}

/** A request of either variant. */
export interface HeardRequest {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly version: string;
  readonly error: string | undefined;
  /** What it subscribes to after this request, sorted. */
  readonly names: readonly string[];
  readonly initialVersions: ReadonlyMap<string, string>;
}

const wrapperUrl = "type.googleapis.com/envoy.service.discovery.v3.Resource";

/** One client and the far end of its wire, in either variant of the protocol by the same words. */
export class XdsPeer implements Disposable {
  readonly dialect: Dialect;
  readonly clock = new VirtualClock();
  readonly transport = new FakeAdsTransport();
  readonly #log = recordingLogger();
  readonly client: AdsMux;
  #nonces = 0;
  #subscribed = new Map<string, Set<string>>();
  #subscribedOn: unknown;

  constructor(dialect: Dialect, options: Partial<AdsMuxOptions> = {}) {
    this.dialect = dialect;
    this.client = new AdsMux({
      transport: this.transport,
      clock: this.clock,
      random: seededRandom(1),
      logger: this.#log.logger,
      stats: noXdsStats,
      dialect,
      node: new Uint8Array([10, 1, 110]),
      ...options,
    });
  }

  /** What was logged: `warning the message`. */
  get lines(): readonly string[] {
    return this.#log.lines;
  }

  get isDelta(): boolean {
    return this.dialect === delta;
  }

  /** Lets what was just subscribed go out. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }

  /** Settles when the client would read the next message. */
  async send(typeUrl: string, response: SentResponse = {}): Promise<void> {
    await this.settle();
    await this.transport.last.handlers.received(this.write(typeUrl, response));
  }

  /** The requests since the last call. */
  async heard(): Promise<readonly HeardRequest[]> {
    await this.settle();
    if (this.#subscribedOn !== this.transport.last) this.#subscribed.clear();
    this.#subscribedOn = this.transport.last;
    return this.transport.last.takenBytes().map((bytes) => this.#read(bytes));
  }

  /** The stream ends, and the next one is there. */
  async reconnect(): Promise<void> {
    this.transport.last.handlers.ended("14, gone");
    await this.clock.advance(30_000);
  }

  statusOf(shortName: string, name: string): ResourceStatus | undefined {
    const type = this.client.status().types.find((each) => each.shortName === shortName);
    return type?.resources.find((resource) => resource.name === name);
  }

  write(typeUrl: string, response: SentResponse): Uint8Array {
    const {
      resources = [],
      version = `v${this.#nonces + 1}`,
      removed = [],
      errors = [],
    } = response;
    const writer = new jspb.BinaryWriter();
    writer.writeString(1, version);
    for (const resource of resources) writer.writeBytes(2, this.#any(typeUrl, resource, version));
    writer.writeString(4, typeUrl);
    writer.writeString(5, response.nonce ?? `n${++this.#nonces}`);
    if (this.isDelta) for (const name of removed) writer.writeString(6, name);
    for (const name of errors) writer.writeBytes(this.isDelta ? 9 : 7, resourceError(name));
    return writer.getResultBuffer();
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
    assert.equal(this.clock.pendingCount, 0, "no timer is left");
  }

  #any(typeUrl: string, resource: SentResource, version: string): Uint8Array {
    const { name, text = name, innerName = name, aliases, ttlSeconds, isHeartbeat } = resource;
    const bytes = resource.bytes ?? textResource(innerName, text);
    const any = anyOf(resource.typeUrl ?? typeUrl, bytes);
    const isPlain = !aliases && ttlSeconds === undefined && isHeartbeat !== true;
    if (!this.isDelta && isPlain) return any;
    const wrapper = new jspb.BinaryWriter();
    wrapper.writeString(1, resource.version ?? version);
    if (isHeartbeat !== true) wrapper.writeBytes(2, any);
    wrapper.writeString(3, name);
    for (const alias of aliases ?? []) wrapper.writeString(4, alias);
    if (ttlSeconds !== undefined) {
      const duration = new jspb.BinaryWriter();
      duration.writeInt64(1, ttlSeconds);
      wrapper.writeBytes(6, duration.getResultBuffer());
    }
    const wrapped = wrapper.getResultBuffer();
    return this.isDelta ? wrapped : anyOf(wrapperUrl, wrapped);
  }

  #read(bytes: Uint8Array): HeardRequest {
    if (!this.isDelta) {
      const request = readDiscoveryRequest(bytes);
      return { ...request, names: request.names.toSorted(), initialVersions: new Map() };
    }
    const { subscribe, unsubscribe, ...request } = readDeltaRequest(bytes);
    const names = this.#subscribed.get(request.typeUrl) ?? new Set();
    this.#subscribed.set(request.typeUrl, names);
    for (const name of subscribe) names.add(name);
    for (const name of unsubscribe) names.delete(name);
    return { ...request, version: "", names: [...names].sort() };
  }
}

export function anyOf(typeUrl: string, bytes: Uint8Array): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, typeUrl);
  writer.writeBytes(2, bytes);
  return writer.getResultBuffer();
}

/** `ResourceError`: NOT_FOUND. */
function resourceError(resource: string): Uint8Array {
  const name = new jspb.BinaryWriter();
  name.writeString(1, resource);
  const status = new jspb.BinaryWriter();
  status.writeInt32(1, 5);
  status.writeString(2, "no such thing");
  const writer = new jspb.BinaryWriter();
  writer.writeBytes(1, name.getResultBuffer());
  writer.writeBytes(2, status.getResultBuffer());
  return writer.getResultBuffer();
}
