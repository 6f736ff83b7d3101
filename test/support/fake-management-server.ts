import assert from "node:assert/strict";
import { createProtoRegistry } from "../../src/control/proto/proto-registry.ts";
import type { Verdict } from "../../src/xds-server/verdict.ts";
import { writeDiscoveryResponse } from "../../src/xds-server/discovery-wire.ts";
import type { ServedResource } from "../../src/xds-server/discovery-wire.ts";
import { ManagementServer } from "../../src/xds-server/management-server.ts";
import { ResourceFolder } from "../../src/xds-server/resource-folder.ts";
import { servedTypes, type ServedType } from "../../src/xds-server/resource-types.ts";

export type ResourceKind = "clusters" | "endpoints" | "listeners" | "routes";
/** Resources in proto3 JSON; a kind that is left out stays as it is. */
export type Resources = Readonly<Partial<Record<ResourceKind, readonly object[]>>>;

const protos = createProtoRegistry();

/**
 * The embedded management server in the test's own process, with the ways in which a real one can
 * misbehave. Resources are checked before they are sent, unless they are sent raw.
 */
export class FakeManagementServer implements AsyncDisposable {
  readonly server: ManagementServer;
  readonly #reader = new ResourceFolder("", {}, protos);

  static async start(address?: string): Promise<FakeManagementServer> {
    return new FakeManagementServer(
      await ManagementServer.start(address === undefined ? {} : { address }),
    );
  }

  private constructor(server: ManagementServer) {
    this.server = server;
  }

  get port(): number {
    return this.server.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Resolves with the client's verdict on each kind that was named, once it has given them all. */
  async push(resources: Resources): Promise<Readonly<Partial<Record<ResourceKind, Verdict>>>> {
    const types = this.offer(resources);
    const verdicts: Partial<Record<ResourceKind, Verdict>> = {};
    for (const { folder, typeUrl } of types) {
      const [answer] = await this.server.awaitAnswer(typeUrl);
      if (answer) verdicts[folder as ResourceKind] = answer.verdict;
    }
    return verdicts;
  }

  /** The same without waiting: nobody needs to be connected. */
  offer(resources: Resources): readonly ServedType[] {
    const types = servedTypes.filter(({ folder }) => resources[folder as ResourceKind]);
    for (const type of types)
      this.server.setResources(
        type.typeUrl,
        this.read(type.folder as ResourceKind, resources[type.folder as ResourceKind]),
      );
    return types;
  }

  /** The bytes of resources; fails the test that gives bad ones. */
  read(kind: ResourceKind, resources: readonly object[] = []): readonly ServedResource[] {
    const read = this.#reader.readText(typeOf(kind), JSON.stringify(resources));
    assert(read.ok, read.ok ? "" : read.errors.join("\n"));
    return read.value;
  }

  /** Serves resources as they are, good or not. */
  pushRaw(
    kind: ResourceKind,
    resources: readonly Omit<ServedResource, "typeUrl">[],
  ): Promise<Verdict> {
    const { typeUrl } = typeOf(kind);
    return this.pushOfType(
      kind,
      resources.map((resource) => ({ ...resource, typeUrl })),
    );
  }

  /** The same, with the type URL of each `Any` given. */
  async pushOfType(kind: ResourceKind, resources: readonly ServedResource[]): Promise<Verdict> {
    const { typeUrl } = typeOf(kind);
    this.server.setResources(typeUrl, resources);
    const [answer] = await this.server.awaitAnswer(typeUrl);
    assert(answer);
    return answer.verdict;
  }

  /** Bytes that are no message; resolves when the client has opened another stream. */
  async sendGarbage(): Promise<void> {
    await this.#breakStream(Buffer.from("not protobuf at all"));
  }

  /** A response cut short; resolves when the client has opened another stream. */
  async sendTruncated(): Promise<void> {
    const { typeUrl } = typeOf("listeners");
    const bytes = new Uint8Array(1000);
    const whole = writeDiscoveryResponse({
      version: "x",
      nonce: "x",
      typeUrl,
      resources: [{ typeUrl, bytes }],
    });
    await this.#breakStream(whole.subarray(0, 500));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }

  async #breakStream(message: Buffer): Promise<void> {
    const before = this.server.clientsSeen;
    this.server.sendRaw(message);
    while (this.server.clientsSeen === before || this.server.clientCount !== 1)
      await this.server.nextEvent();
  }
}

function typeOf(kind: ResourceKind): ServedType {
  const type = servedTypes.find(({ folder }) => folder === kind);
  assert(type);
  return type;
}
