/**
 * One proxy under one recording. Beside it stands a model of what it must hold, made of the bytes that were
 * sent: it says what has to be asked for, and how many changes there were.
 */
import { ProxyProcess } from "../../support/proxy-process.ts";
import { until } from "../../support/until.ts";
import { adsBootstrap } from "../../support/xds-resources.ts";
import { endpointsOf, routesOf } from "./dependent-names.ts";
import { HeldResources } from "./held-resources.ts";
import { prepareResponse } from "./prepared-response.ts";
import type { Recording, RecordedResponse, TypeName } from "./recording.ts";
import { type ReceivedRequest, ReplayServer } from "./replay-server.ts";
import { subscribedNames } from "./subscriptions.ts";

export interface ReplayOptions {
  /** What is taken out of responses of a type before they are sent. */
  readonly lackingIn: (type: TypeName) => ReadonlySet<string>;
  /** Whether the proxy may refuse some of what is left. */
  readonly mayRefuse: boolean;
}

export interface Played {
  readonly response: RecordedResponse;
  readonly answer: ReceivedRequest;
}

/** As Istio's agent starts its proxy (pilot-agent-argv.txt); removed listeners of Envoy stay for the drain time. */
const flags = [
  "--allow-unknown-static-fields",
  "--drain-time-s",
  "1",
  "--drain-strategy",
  "immediate",
];

export class Replay implements AsyncDisposable {
  readonly server: ReplayServer;
  readonly clusters = new HeldResources();
  readonly listeners = new HeldResources();
  readonly #recording: Recording;
  readonly #options: ReplayOptions;
  readonly #starting: Promise<ProxyProcess>;

  static async start(recording: Recording, options: ReplayOptions): Promise<Replay> {
    return new Replay(recording, options, await ReplayServer.start(recording));
  }

  private constructor(recording: Recording, options: ReplayOptions, server: ReplayServer) {
    this.#recording = recording;
    this.#options = options;
    this.server = server;
    this.#starting = ProxyProcess.start(bootstrap(server.port, recording.isDelta), flags);
    // Told to whoever asks for the proxy; without it the process would end for want of a handler.
    this.#starting.catch(() => {});
  }

  /** The proxy; it is live when the first phase has been played. */
  get proxy(): Promise<ProxyProcess> {
    return this.#starting;
  }

  get phases(): readonly string[] {
    return [...new Set(this.#recording.entries.map(({ phase }) => phase))];
  }

  /** Sends all of a phase and waits for all answers. What nobody can have asked for is left out. */
  async play(phase: string): Promise<readonly Played[]> {
    const sent: RecordedResponse[] = [];
    for (const entry of this.#recording.entries) {
      if (entry.kind !== "response" || entry.phase !== phase) continue;
      if (this.wanted(entry.type)?.length === 0 && !this.server.hasAsked(entry.type)) continue;
      await this.#send(entry);
      sent.push(entry);
    }
    const answers = sent.map(async (response) => ({
      response,
      answer: await this.server.answerTo(response),
    }));
    return Promise.all(answers);
  }

  /** The names to be asked for, sorted, by what is held; undefined for types that are asked for whole. */
  wanted(type: TypeName): readonly string[] | undefined {
    if (type === "EDS") return sortedOnce(this.clusters.contents.flatMap(endpointsOf));
    if (type === "RDS") return sortedOnce(this.listeners.contents.flatMap(routesOf));
    return undefined;
  }

  /** The names that are asked for. */
  subscribed(type: TypeName): readonly string[] {
    return subscribedNames(this.server.requests, type, this.#recording.isDelta);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const proxy = await this.#starting.catch(() => undefined);
    await proxy?.[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }

  async #send(response: RecordedResponse): Promise<void> {
    const { isDelta } = this.#recording;
    const { type, phase, names } = response;
    const { bytes, resources } = prepareResponse(response, isDelta, this.#options.lackingIn(type));
    const wanted = this.wanted(type)?.filter((name) => names.includes(name)) ?? [];
    const isAsked = (): boolean => {
      const asked = this.server.namesAsked(type);
      return wanted.every((name) => asked.has(name));
    };
    await until(isAsked, `${phase}: all names of ${type} are asked for`);
    await this.server.send(response, bytes);
    if (type !== "CDS" && type !== "LDS") return;
    const held = type === "CDS" ? this.clusters : this.listeners;
    held.apply(response, await this.#accepted(response, resources), isDelta);
  }

  /** Where nothing may be refused the answer may wait: Envoy's to clusters comes when they are warm. */
  async #accepted(
    response: RecordedResponse,
    resources: ReadonlyMap<string, Uint8Array>,
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    if (!this.#options.mayRefuse) return resources;
    const { error = "" } = await this.server.answerTo(response);
    // A name may end with another one.
    const isNamed = (name: string): boolean =>
      ["\n", " "].some((before) => error.includes(`${before}${name}: `));
    return new Map([...resources].filter(([name]) => !isNamed(name)));
  }
}

function bootstrap(port: number, isDelta: boolean): object {
  const base = adsBootstrap("recorded", `127.0.0.1:${port}`);
  // Istio's agent waits for ever.
  const source = { ads: {}, resourceApiVersion: "V3", initialFetchTimeout: "0s" };
  return {
    ...base,
    dynamicResources: {
      adsConfig: {
        apiType: isDelta ? "DELTA_GRPC" : "GRPC",
        transportApiVersion: "V3",
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ envoyGrpc: { clusterName: "control-plane" } }],
      },
      cdsConfig: source,
      ldsConfig: source,
    },
  };
}

function sortedOnce(names: readonly string[]): readonly string[] {
  return [...new Set(names)].toSorted();
}
