import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addressText,
  readAddress,
  socketName,
} from "../../../src/control/hot-restart/socket-names.ts";
import type { SocketAddress } from "../../../src/shared/common/address.ts";

test("names are Envoy's, and used again after three epochs", () => {
  const names = { socketPath: "@envoy_domain_socket", baseId: 4 };
  assert.equal(socketName(names, "parent", 0), "@envoy_domain_socket_parent_40");
  assert.equal(socketName(names, "child", 2), "@envoy_domain_socket_child_42");
  assert.equal(socketName(names, "parent", 3), socketName(names, "parent", 0));
});

test("an address survives the wire", () => {
  const address: fc.Arbitrary<SocketAddress> = fc.oneof(
    fc.record({
      kind: fc.constant("ip" as const),
      ip: fc.oneof(fc.ipV4(), fc.ipV6()),
      port: fc.nat({ max: 65_535 }),
    }),
    fc.record({
      kind: fc.constant("pipe" as const),
      path: fc.string({ minLength: 1 }),
      mode: fc.constant(0),
    }),
  );
  fc.assert(
    fc.property(address, (one) => {
      assert.deepEqual(readAddress(addressText(one)), { ...one });
    }),
  );
});

test("what is no address of ours is none", () => {
  for (const text of ["", "udp://127.0.0.1:53", "tcp://host:80", "tcp://127.0.0.1", "unix://"])
    assert.equal(readAddress(text), undefined, text);
});
