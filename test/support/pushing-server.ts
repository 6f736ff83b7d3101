import assert from "node:assert/strict";
import type { Verdict } from "../../src/xds-server/verdict.ts";
import {
  ManagementServer,
  type ManagementServerOptions,
} from "../../src/xds-server/management-server.ts";
import { ResourceFolder } from "../../src/xds-server/resource-folder.ts";
import { servedTypes } from "../../src/xds-server/resource-types.ts";

/** The embedded management server, pushing resources in proto3 JSON and waiting for the answer. */
export class PushingServer implements AsyncDisposable {
  readonly #server: ManagementServer;
  // The folder is never read: it only knows how to make bytes of JSON.
  readonly #reader = new ResourceFolder(".");

  private constructor(server: ManagementServer) {
    this.#server = server;
  }

  static async start(options: ManagementServerOptions = {}): Promise<PushingServer> {
    return new PushingServer(await ManagementServer.start(options));
  }

  get server(): ManagementServer {
    return this.#server;
  }

  get address(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  /** Before a proxy has connected. */
  offer(kind: string, resources: readonly object[]): void {
    const type = typeOf(kind);
    const read = this.#reader.readText(type, JSON.stringify(resources));
    assert(read.ok, read.ok ? "" : read.errors.join("\n"));
    this.#server.setResources(type.typeUrl, read.value);
  }

  /** Resolves with what the proxy says of it. */
  async push(kind: string, resources: readonly object[]): Promise<Verdict> {
    this.offer(kind, resources);
    return this.answered(kind);
  }

  /** What the proxy says of the last that it was sent. */
  async answered(kind: string): Promise<Verdict> {
    const [first] = await this.#server.awaitAnswer(typeOf(kind).typeUrl);
    assert(first, `nobody has asked for ${kind}`);
    return first.verdict;
  }

  async accepted(kind: string, resources: readonly object[]): Promise<void> {
    const verdict = await this.push(kind, resources);
    assert(verdict.kind === "acked", JSON.stringify(verdict));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

function typeOf(kind: string): (typeof servedTypes)[number] {
  const type = servedTypes.find(({ folder }) => folder === kind);
  assert(type, kind);
  return type;
}
