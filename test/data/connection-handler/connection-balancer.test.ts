import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import type { HandedConnection, WorkerInit } from "../../../src/shared/protocol/worker-init.ts";
import { ConnectionBalancer } from "../../../src/data/connection-handler/connection-balancer.ts";

class Pair {
  readonly limits = new Int32Array(new SharedArrayBuffer(1024));
  readonly taken: [HandedConnection[], HandedConnection[]] = [[], []];
  /** Whether the second worker knows the listener. */
  isKnown = true;
  readonly balancers: [ConnectionBalancer, ConnectionBalancer];

  constructor() {
    const { port1, port2 } = new MessageChannel();
    const balancer = (index: 0 | 1): ConnectionBalancer => {
      const peers = index === 0 ? [undefined, port1] : [port2, undefined];
      // Nothing else of it is read.
      const init = { index, concurrency: 2, peers } as unknown as WorkerInit;
      return new ConnectionBalancer(init, this.limits, {
        onHanded: (connection) => {
          if (index === 1 && !this.isKnown) return false;
          this.taken[index].push(connection);
          return true;
        },
      });
    };
    this.balancers = [balancer(0), balancer(1)];
  }

  get open(): number[] {
    return [...this.limits.subarray(0, 2)];
  }

  [Symbol.dispose](): void {
    for (const balancer of this.balancers) balancer[Symbol.dispose]();
  }
}

const connection = (descriptor: number) => ({ tag: 7, descriptor, connectionCount: 256 });

function taken(balancer: ConnectionBalancer): Promise<void> {
  return new Promise((resolve) => {
    balancer.whenTaken(resolve);
  });
}

test("handOver() alternates while both are level, as with short connections", async () => {
  using pair = new Pair();
  let own = 0;
  for (let i = 0; i < 100; i++) {
    const isHanded = pair.balancers[0].handOver(connection(i));
    if (!isHanded) own++;
    // It ends before the next one comes.
    pair.balancers[isHanded ? 1 : 0].closed();
  }
  await taken(pair.balancers[0]);
  assert.deepEqual([own, pair.taken[1].length], [50, 50]);
  assert.deepEqual(pair.open, [0, 0]);
});

test("handOver() gives to the worker that is behind until it has caught up", async () => {
  using pair = new Pair();
  for (let i = 0; i < 10; i++) pair.balancers[0].opened();
  for (let i = 0; i < 10; i++) assert(pair.balancers[0].handOver(connection(i)));
  await taken(pair.balancers[0]);
  assert.deepEqual(pair.open, [10, 10]);
  assert.deepEqual(
    pair.taken[1].map(({ descriptor }) => descriptor),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
});

test("handOver() never gives from the worker that is behind", () => {
  using pair = new Pair();
  for (let i = 0; i < 10; i++) pair.balancers[0].opened();
  for (let i = 0; i < 10; i++) assert.equal(pair.balancers[1].handOver(connection(i)), false);
});

test("a connection of a listener that the other does not know comes back, before whenTaken()", async () => {
  using pair = new Pair();
  pair.isKnown = false;
  pair.balancers[0].opened();
  assert(pair.balancers[0].handOver(connection(5)));
  await taken(pair.balancers[0]);
  assert.deepEqual(pair.taken[0], [{ ...connection(5), isReturned: true }]);
  assert.deepEqual(pair.open, [2, 0]);
});
