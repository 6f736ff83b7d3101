import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectionClients } from "../../../src/control/server/collection-clients.ts";
import type { XdsClient } from "../../../src/control/xds/xds-client.ts";

const client = (): XdsClient => ({}) as XdsClient;

test("the first collection has the server's client, each other one a client until nobody wants it", () => {
  const closed: XdsClient[] = [];
  const clients = new CollectionClients((each) => void closed.push(each));
  const main = client();
  const one = clients.acquire(main, "one", client);
  const same = clients.acquire(main, "one", client);
  const other = clients.acquire(main, undefined, client);
  assert.deepEqual([one.client === main, same.client === main], [true, true]);
  assert.notEqual(other.client, main);
  assert.equal(clients.acquire(client(), "two", client).client === main, false);
  for (const lease of [one, one, other]) lease[Symbol.dispose]();
  assert.deepEqual(closed, [other.client]);
  assert.notEqual(clients.acquire(main, "two", client).client, main);
  same[Symbol.dispose]();
  assert.equal(clients.acquire(main, "three", client).client, main, "it is free again");
  assert.equal(closed.length, 1);
});
