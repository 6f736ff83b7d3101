/** A proxy under go-control-plane: pushes to it, and finds out when what was pushed answers. */
import assert from "node:assert/strict";
import { get } from "node:http";
import type {
  GoControlPlane,
  ListenerOrder,
  ResourceKind,
} from "../../src/cli/go-control-plane.ts";
import { pause } from "../measure/pause.ts";
import type { PinnedProcess } from "../measure/pinned-process.ts";

const stepTimeMs = 180_000;
/** Asking takes some of the time that is measured, from the control plane's core. */
const pollTimeMs = 4;
/** Beside the first, the last, and the one that changes. */
const randomSamples = 5;

export interface Push {
  /** Milliseconds since 1970. */
  readonly pushedAtMs: number;
  /** Until the listeners were accepted. */
  readonly ackMs: number;
  /** Until all were active and a sample of them had answered, with the mark that it should have. */
  readonly answeringMs: number;
}

export interface PushedProxyParts {
  readonly proxy: PinnedProcess;
  readonly controlPlane: GoControlPlane;
  readonly node: string;
  /** Throws while it is not known. */
  readonly admin: () => string;
}

export class PushedProxy {
  readonly #parts: PushedProxyParts;

  constructor(parts: PushedProxyParts) {
    this.#parts = parts;
  }

  /** Throws if the proxy refuses, ends, or takes too long. */
  async push(order: ListenerOrder): Promise<Push> {
    const { controlPlane, node } = this.#parts;
    const { version, pushedAt } = await controlPlane.generate(node, order);
    const deadline = performance.now() + stepTimeMs;
    const ackMs = ((await this.#acked("listeners", version, deadline)) - pushedAt) / 1e3;
    if (order.rds && order.count > 0) await this.#acked("routes", undefined, deadline);
    await this.#until(deadline, async () => (await this.#activeCount()) === order.count);
    for (const index of sampleOf(order))
      await this.#until(
        deadline,
        async () => (await markOf(index, order.port)) === expectedMark(index, order),
      );
    return { pushedAtMs: pushedAt / 1e3, ackMs, answeringMs: nowMs() - pushedAt / 1e3 };
  }

  /** Microseconds since 1970 of the ACK. `version` undefined: of the newest. */
  async #acked(kind: ResourceKind, version: string | undefined, deadline: number): Promise<number> {
    const { controlPlane, node } = this.#parts;
    let answeredAt = 0;
    await this.#until(deadline, async () => {
      const answer = (await controlPlane.status()).nodes[node]?.[kind];
      if (!answer) return false;
      const { nacked, acked, sent } = answer;
      assert(nacked?.version !== (version ?? sent), `refused: ${nacked?.error.slice(0, 2_000)}`);
      ({ answeredAt } = answer);
      return acked === (version ?? sent) && acked !== "";
    });
    return answeredAt;
  }

  async #activeCount(): Promise<number | undefined> {
    try {
      const url = `http://${this.#parts.admin()}`;
      if (!(await fetch(`${url}/ready`)).ok) return undefined;
      return (await (await fetch(`${url}/listeners`)).text()).split("\n").length - 1;
    } catch {
      return undefined;
    }
  }

  async #until(deadline: number, isDone: () => Promise<boolean>): Promise<void> {
    while (!(await isDone())) {
      this.#parts.proxy.assertAlive();
      assert(performance.now() < deadline, `the push took too long\n${this.#parts.proxy.log}`);
      await pause(pollTimeMs);
    }
  }
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function sampleOf({ count, changed }: ListenerOrder): readonly number[] {
  if (count === 0) return [];
  const random = Array.from({ length: randomSamples }, () => Math.floor(Math.random() * count));
  return [0, count - 1, changed, ...random];
}

function expectedMark(index: number, { changed, mark }: ListenerOrder): string {
  return index === changed ? mark : "a";
}

/** What a new connection to the listener is answered; undefined where there is no such answer. */
function markOf(index: number, port: number): Promise<string | undefined> {
  const host = `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
  return new Promise((resolve) => {
    const request = get({ host, port, path: "/mark", agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve(response.statusCode === 200 ? body : undefined));
    });
    request.on("error", () => resolve(undefined));
  });
}
