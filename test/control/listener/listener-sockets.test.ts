import assert from "node:assert/strict";
import { test } from "node:test";
import { ListenerSockets } from "../../../src/control/listener/listener-sockets.ts";
import { decodedListener, ip } from "../../support/config-builders.ts";
import { FakeSockets } from "../../support/fake-sockets.ts";

function registry(workers = 2) {
  const kernel = new FakeSockets();
  return { kernel, sockets: new ListenerSockets(kernel.bind, workers) };
}

const config = (name: string, address: string, more = {}) =>
  decodedListener({ name, address, config: more }).config;

test("the last lease closes the socket, no other", async () => {
  const { kernel, sockets } = registry();
  const owner = { name: "a", isDraining: false };
  const first = await sockets.acquire(config("a", "127.0.0.1:1"), owner);
  const second = await sockets.acquire(config("a", "127.0.0.1:1"), owner);
  assert(first.ok && second.ok);
  const [a] = first.leases;
  const [b] = second.leases;
  assert(a && b);
  assert(a.isSharedWith(b));
  a[Symbol.dispose]();
  a[Symbol.dispose]();
  assert.equal(kernel.open.size, 1);
  b[Symbol.dispose]();
  assert.equal(kernel.open.size, 0);
  assert.equal(sockets.size, 0);
});

test("an address is taken over from a draining owner, refused from a serving one", async () => {
  const { sockets } = registry();
  const owner = { name: "a", isDraining: false };
  await sockets.acquire(config("a", "127.0.0.1:1"), owner);
  const other = { name: "b", isDraining: false };
  const refused = await sockets.acquire(config("b", "127.0.0.1:1"), other);
  assert(!refused.ok);
  owner.isDraining = true;
  assert((await sockets.acquire(config("b", "127.0.0.1:1"), other)).ok);
  assert.equal(sockets.size, 1);
});

test("one bad address of several leaves none bound", async () => {
  const { kernel, sockets } = registry();
  kernel.unbindable.add("127.0.0.1:2");
  const addresses = [ip("127.0.0.1:1"), ip("127.0.0.1:2")];
  const owner = { name: "a", isDraining: false };
  const result = await sockets.acquire(config("a", "", { addresses }), owner);
  assert.deepEqual(result, {
    ok: false,
    kind: "unbound",
    error: "cannot bind '127.0.0.1:2': Address already in use",
  });
  assert.equal(kernel.open.size, 0);
});

test("port 0 belongs to its listener alone; under reuse_port all workers' sockets share the port", async () => {
  const { kernel, sockets } = registry(3);
  const result = await sockets.acquire(config("a", "127.0.0.1:0", { enableReusePort: true }), {
    name: "a",
    isDraining: false,
  });
  assert(result.ok);
  const bound = new Set([...kernel.open.values()].map(({ address }) => address));
  assert.equal(kernel.open.size, 3);
  assert.equal(bound.size, 1);
  const owner = { name: "b", isDraining: false };
  assert((await sockets.acquire(config("b", "127.0.0.1:0"), owner)).ok);
  assert.equal(sockets.size, 2);
});

test("a listener that does not bind holds nothing", async () => {
  const { kernel, sockets } = registry();
  const owner = { name: "a", isDraining: false };
  const result = await sockets.acquire(config("a", "127.0.0.1:1", { bindToPort: false }), owner);
  assert.deepEqual(result, { ok: true, leases: [], outdated: [] });
  assert.equal(kernel.open.size, 0);
});

test("a shared socket keeps its options, and says so", async () => {
  const { sockets } = registry();
  const owner = { name: "a", isDraining: false };
  await sockets.acquire(config("a", "127.0.0.1:1"), owner);
  const result = await sockets.acquire(config("a", "127.0.0.1:1", { tcpBacklogSize: 7 }), owner);
  assert(result.ok);
  assert.deepEqual(result.outdated, [ip("127.0.0.1:1")]);
});
