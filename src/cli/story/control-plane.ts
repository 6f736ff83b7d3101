/** The two control planes that the story can run under: the embedded one, and go-control-plane. */
import {
  GoControlPlane,
  type ResourceKind,
  resourceKinds,
  type Versions,
} from "../go-control-plane.ts";
import { ManagementServer } from "../../xds-server/management-server.ts";
import type { FolderContent } from "../../xds-server/resource-folder.ts";
import { servedTypes } from "../../xds-server/resource-types.ts";

export type PushOutcome =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly reason: string };

export interface StoryControlPlane extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** Makes resources available; nobody need be there to take them. */
  offer(content: FolderContent): Promise<void>;
  /** Pushes what differs and waits for the proxy's answer to all of it, 20 s at most. */
  push(content: FolderContent): Promise<PushOutcome>;
}

const answerMsMax = 20_000;

export class EmbeddedControlPlane implements StoryControlPlane {
  readonly name = "the embedded control plane";
  readonly #server: ManagementServer;

  static async start(log: (line: string) => void): Promise<EmbeddedControlPlane> {
    return new EmbeddedControlPlane(await ManagementServer.start({ log }));
  }

  private constructor(server: ManagementServer) {
    this.#server = server;
  }

  get port(): number {
    return this.#server.port;
  }

  async offer(content: FolderContent): Promise<void> {
    this.#server.setAll(content);
    await Promise.resolve();
  }

  async push(content: FolderContent): Promise<PushOutcome> {
    const reasons: string[] = [];
    for (const { typeUrl } of this.#server.setAll(content)) {
      const answers = await withinTime(this.#server.awaitAnswer(typeUrl));
      for (const { verdict } of answers) if (verdict.kind === "nacked") reasons.push(verdict.error);
    }
    return outcomeOf(reasons);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

export class GoStoryControlPlane implements StoryControlPlane {
  readonly name = "go-control-plane";
  readonly #go: GoControlPlane;
  #versions: Versions | undefined;

  /** @param source the folder of the Go program. @param node the proxy's node id. */
  static async start(source: string, node: string): Promise<GoStoryControlPlane> {
    return new GoStoryControlPlane(await GoControlPlane.start(source, node));
  }

  private constructor(go: GoControlPlane) {
    this.#go = go;
  }

  get port(): number {
    return Number(this.#go.xdsAddress.split(":").at(-1));
  }

  async offer(content: FolderContent): Promise<void> {
    await this.#set(content);
  }

  async push(content: FolderContent): Promise<PushOutcome> {
    const reasons: string[] = [];
    for (const [kind, version] of await this.#set(content)) {
      const { nacked } = await this.#go.answered(kind, version);
      if (nacked?.version === version) reasons.push(nacked.error);
    }
    return outcomeOf(reasons);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#go[Symbol.asyncDispose]();
  }

  /** The kinds whose version changed. */
  async #set(content: FolderContent): Promise<readonly [ResourceKind, string][]> {
    const known: readonly string[] = resourceKinds;
    const served = servedTypes.filter(({ folder }) => known.includes(folder));
    const kinds = served.map(({ folder, typeUrl }) => [
      folder,
      (content.get(typeUrl) ?? []).map(({ json }) => json),
    ]);
    const versions = await this.#go.push(Object.fromEntries(kinds));
    const before = this.#versions;
    this.#versions = versions;
    const entries = Object.entries(versions) as [ResourceKind, string][];
    return entries.filter(([kind, version]) => before?.[kind] !== version);
  }
}

function outcomeOf(reasons: readonly string[]): PushOutcome {
  return reasons.length === 0
    ? { kind: "accepted" }
    : { kind: "refused", reason: reasons.join("\n") };
}

async function withinTime<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("the proxy did not answer a push")), answerMsMax);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
