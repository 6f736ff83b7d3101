/**
 * A proxy with one listener of very many filter chains, each with a certificate by SDS of its own, and clients that shake
 * hands with it all the time. A rotation gives every chain another certificate at once.
 */
import { setTimeout as pause } from "node:timers/promises";
import { newOwnKey, selfSigned } from "./named-certificate.ts";
import { listenerFilter } from "./listener-filter-stage.ts";
import { ProxyProcess } from "./proxy-process.ts";
import { PushingServer } from "./pushing-server.ts";
import { securedConnection } from "./tls-clients.ts";
import { secretOf, serverSocket } from "./tls-resources.ts";
import { answersWith, dynamicBootstrap, fromAds, httpListener } from "./truth-resources.ts";
import { until } from "./until.ts";

export interface RotationCounts {
  handshakes: number;
  /** Why, of each that failed. */
  readonly failures: string[];
  /** Begun when a rotation was acknowledged by all workers, and served by what was before it. */
  stale: number;
}

const serialsPerVersion = 0x1_0000;
/** Serials of four bytes. */
const firstVersion = 0x100;
const hostOf = (index: number): string => `h${index}.test`;

export class RotationStage implements AsyncDisposable {
  readonly counts: RotationCounts = { handshakes: 0, failures: [], stale: 0 };
  readonly #owned: AsyncDisposableStack;
  readonly #controlPlane: PushingServer;
  readonly #proxy: ProxyProcess;
  readonly #size: number;
  #version = firstVersion - 1;
  #acknowledged = firstVersion;
  #clients: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  private constructor(
    size: number,
    parts: {
      readonly owned: AsyncDisposableStack;
      readonly controlPlane: PushingServer;
      readonly proxy: ProxyProcess;
    },
  ) {
    this.#size = size;
    this.#owned = parts.owned;
    this.#controlPlane = parts.controlPlane;
    this.#proxy = parts.proxy;
  }

  /** `size`: certificates, 60,000 at most. Resolves when all of them serve. */
  static async start(size: number, flags: readonly string[] = []): Promise<RotationStage> {
    await using starting = new AsyncDisposableStack();
    const controlPlane = starting.use(await PushingServer.start());
    controlPlane.offer("clusters", []);
    controlPlane.offer("listeners", []);
    const bootstrap = dynamicBootstrap(controlPlane.address);
    const proxy = starting.use(await ProxyProcess.start(bootstrap, flags));
    const stage = new RotationStage(size, { owned: starting.move(), controlPlane, proxy });
    try {
      await controlPlane.accepted("listeners", [listenerWith(size)]);
      await controlPlane.accepted("secrets", stage.#nextSecrets());
      await until(async () => (await proxy.listenerPorts()).has("web"), "it serves");
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Until `stop`. */
  async load(clients: number): Promise<void> {
    const port = (await this.#proxy.listenerPorts()).get("web") ?? 0;
    const one = async (): Promise<void> => {
      while (!this.#isStopping) await this.#shakeHands(port);
    };
    this.#clients = Promise.all(Array.from({ length: clients }, one));
  }

  /** Resolves when all workers have taken all of it: how long that took, in milliseconds. */
  async rotate(): Promise<number> {
    const rotated = (): Promise<number> => this.#proxy.stat("sluice.tls.contexts_rotated");
    const before = await rotated();
    const secrets = this.#nextSecrets();
    const startMs = performance.now();
    await this.#controlPlane.accepted("secrets", secrets);
    await until(async () => (await rotated()) === before + this.#size, "all workers have all");
    this.#acknowledged = this.#version;
    return performance.now() - startMs;
  }

  /** Until so many more hands were shaken. */
  async pass(handshakes: number): Promise<void> {
    const { counts } = this;
    const target = counts.handshakes + handshakes;
    while (counts.handshakes < target && counts.failures.length === 0) await pause(5);
  }

  async stop(): Promise<RotationCounts> {
    this.#isStopping = true;
    await this.#clients;
    return this.counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#owned.disposeAsync();
  }

  #nextSecrets(): readonly object[] {
    this.#version++;
    const key = newOwnKey();
    return Array.from({ length: this.#size }, (_, index) => {
      const certificate = selfSigned(hostOf(index), this.#version * serialsPerVersion + index, key);
      return secretOf(`s${index}`, { certificate, privateKey: key.pem });
    });
  }

  async #shakeHands(port: number): Promise<void> {
    const { counts } = this;
    const atLeast = this.#acknowledged;
    const index = Math.floor(Math.random() * this.#size);
    try {
      const socket = await securedConnection(port, { servername: hostOf(index) });
      const serial = Number.parseInt(socket.getPeerX509Certificate()?.serialNumber ?? "", 16);
      socket.destroy();
      if (serial % serialsPerVersion !== index) counts.failures.push(`${index} is ${serial}`);
      if (serial < atLeast * serialsPerVersion) counts.stale++;
      counts.handshakes++;
    } catch (error) {
      counts.failures.push(String(error));
    }
  }
}

function listenerWith(size: number): object {
  const [plain] = (
    httpListener("web", { route_config: answersWith("ok", { name: "all" }) }) as {
      filter_chains: object[];
    }
  ).filter_chains;
  const chains = Array.from({ length: size }, (_, index) => {
    const named = { name: `s${index}`, sds_config: { ...fromAds, initial_fetch_timeout: "0s" } };
    return {
      ...plain,
      name: `c${index}`,
      filter_chain_match: { server_names: [hostOf(index)] },
      transport_socket: serverSocket({ tls_certificate_sds_secret_configs: [named] }),
    };
  });
  const inspector = listenerFilter("tls_inspector", "TlsInspector");
  return {
    ...httpListener("web", {}),
    listener_filters: [inspector],
    filter_chains: chains,
  };
}
