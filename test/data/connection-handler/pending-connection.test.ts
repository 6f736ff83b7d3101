import assert from "node:assert/strict";
import { test } from "node:test";
import {
  PendingConnection,
  type PendingConnectionOwner,
} from "../../../src/data/connection-handler/pending-connection.ts";
import type { ListenerFilterVerdict } from "../../../src/data/listener-filters/listener-filter.ts";
import { unnamed } from "../../../src/shared/common/address.ts";
import type { HeldSocket, PeekResult } from "../../../src/shared/io/reactor.ts";
import { createTestArena } from "../../support/arena.ts";
import { VirtualWheel } from "../../support/virtual-wheel.ts";

test("the end that came with the last bytes reaches the filter that waits behind", () => {
  const stage = new Stage(["continue", "wait"]);
  stage.receive(5, true);
  assert.deepEqual(stage.story, ["ended: remoteClose"]);
});

test("whom no filter holds up goes on, though its peer has said all", () => {
  const stage = new Stage(["continue", "continue"]);
  stage.receive(5, true);
  assert.deepEqual(stage.story, ["ready"]);
});

test("who says nothing ends in time, or goes on", () => {
  const strict = new Stage(["wait"]);
  strict.wheel.advance(1_100);
  assert.deepEqual(strict.story, ["timed out", "ended: timeout"]);
  const lenient = new Stage(["wait"], { continuesOnTimeout: true });
  lenient.wheel.advance(1_100);
  assert.deepEqual(lenient.story, ["timed out", "ready"]);
});

test("a filter that throws costs its connection alone", () => {
  const stage = new Stage([new Error("mine")]);
  stage.receive(1, false);
  assert.deepEqual(stage.story, ["bug: mine", "ended: error"]);
});

/** One connection whose filters each say the same whenever they are shown bytes. */
class Stage {
  readonly story: string[] = [];
  readonly wheel = new VirtualWheel();
  readonly #pending: PendingConnection;
  #received = 0;

  constructor(
    verdicts: readonly (ListenerFilterVerdict | Error)[],
    { continuesOnTimeout = false } = {},
  ) {
    const socket: HeldSocket = {
      localAddress: unnamed,
      remoteAddress: unnamed,
      originalDestination: undefined,
      peek: (): PeekResult => ({ kind: "bytes", count: this.#received }),
      watch: () => {},
      take: () => {},
      release: () => 7,
      close: () => {},
    };
    const reactor = {
      nowMs: 0,
      arena: createTestArena(),
      timers: this.wheel.timers,
      hold: () => socket,
    };
    const owner: PendingConnectionOwner = {
      reactor: reactor as unknown as PendingConnectionOwner["reactor"],
      onBug: (error) => this.story.push(`bug: ${(error as Error).message}`),
      ready: () => this.story.push("ready"),
      timedOut: () => this.story.push("timed out"),
      ended: (_, why) => this.story.push(`ended: ${why}`),
    };
    const filters = verdicts.map((verdict) => ({
      disabledFor: undefined,
      factory: { create: () => filterThatSays(verdict) },
    }));
    const plan = { filters, timeoutMs: 1_000, continuesOnTimeout };
    this.#pending = new PendingConnection(owner, { descriptor: 7, handedOff: undefined }, plan);
    this.#pending.start();
  }

  receive(count: number, isEnd: boolean): void {
    this.#received += count;
    this.#pending.onArrival(isEnd);
  }
}

function filterThatSays(verdict: ListenerFilterVerdict | Error) {
  return {
    maxReadBytes: 64,
    onAccept: (): ListenerFilterVerdict => "wait",
    onData: (): ListenerFilterVerdict => {
      if (verdict instanceof Error) throw verdict;
      return verdict;
    },
  };
}
