import assert from "node:assert/strict";
import { test } from "node:test";
import { SocketActivation } from "../../../src/control/server/socket-activation.ts";
import type { SocketAddress } from "../../../src/shared/common/address.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const at = (port: number): SocketAddress => ({ kind: "ip", ip: "127.0.0.1", port });

/** A duplicate of n is 100 + n. */
function activated(addresses: readonly (SocketAddress | undefined)[], names = "") {
  const closed: number[] = [];
  const warnings: string[] = [];
  const activation = new SocketActivation({
    sockets: addresses.map((address, index) => ({ descriptor: 3 + index, address })),
    env: { LISTEN_FDNAMES: names },
    log: { ...silentLogger, warning: (text: string) => warnings.push(text) },
    duplicate: (descriptor) => 100 + descriptor,
    close: (descriptor) => closed.push(descriptor),
  });
  const take = (port: number, worker: number, isLast: boolean, listener = "web") =>
    activation.takeListenSockets(at(port), worker, isLast, listener);
  return { activation, take, closed, warnings };
}

test("one socket is for all workers, and can be had again", async () => {
  const { take, activation, closed } = activated([at(80)]);
  assert.deepEqual(await take(80, 0, false), [103]);
  assert.deepEqual(await take(80, 1, true), [103]);
  activation.closeUnwanted();
  assert.deepEqual(await take(80, 0, true), [103]);
  assert.deepEqual(closed, []);
});

test("of several at an address each worker has its own, and the last those that are left", async () => {
  const { take } = activated([at(80), at(80), at(80)]);
  assert.deepEqual(await take(80, 0, false), [103]);
  assert.deepEqual(await take(80, 1, true), [104, 105]);
});

test("a name is looked at where no socket has the address", async () => {
  const { take } = activated([at(80), at(81)], "web:other");
  assert.deepEqual(await take(81, 0, true, "web"), [104]);
  assert.deepEqual(await take(82, 0, true, "other"), [104]);
  assert.deepEqual(await take(82, 0, true, "nobody"), []);
});

test("what nobody has asked for is closed, and what does not listen at once", async () => {
  const { take, activation, closed, warnings } = activated([at(80), undefined, at(81), at(9901)]);
  assert.deepEqual(closed, [4]);
  await take(80, 0, true);
  assert.equal(activation.takeAdminSocket(at(9901)), 106);
  activation.closeUnwanted();
  assert.deepEqual(closed, [4, 5]);
  assert.equal(warnings.length, 2);
  assert.deepEqual(await take(81, 0, true), []);
});
