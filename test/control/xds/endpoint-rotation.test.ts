import assert from "node:assert/strict";
import { test } from "node:test";
import { EndpointRotation } from "../../../src/control/xds/endpoint-rotation.ts";

const target = (name: string, ...endpoints: readonly string[]) => ({
  name,
  endpoints: () => endpoints,
});

/** What is tried in turn when no attempt is ever answered. */
function tries(rotation: EndpointRotation, count: number): (string | undefined)[] {
  return Array.from({ length: count }, () => {
    const endpoint = rotation.current?.endpoint;
    rotation.ended(false);
    return endpoint;
  });
}

test("every endpoint is tried, then the next service, then the first again", () => {
  const rotation = new EndpointRotation([target("first", "a", "b"), target("second", "c")]);
  assert.deepEqual(tries(rotation, 5), ["a", "b", "c", "a", "b"]);
});

test("an answer makes the first service the one to come back to", () => {
  const rotation = new EndpointRotation([target("first", "a"), target("second", "b", "c")]);
  assert.deepEqual(tries(rotation, 2), ["a", "b"]);
  assert.equal(rotation.current?.endpoint, "c");
  rotation.ended(true);
  assert.equal(rotation.current?.endpoint, "a");
});

test("a stream that ended is opened again on another endpoint of the same service", () => {
  const rotation = new EndpointRotation([target("first", "a", "b"), target("second", "c")]);
  rotation.ended(true);
  assert.equal(rotation.current?.endpoint, "b");
});

test("a service without endpoints is passed over", () => {
  const rotation = new EndpointRotation([target("first"), target("second", "b")]);
  assert.deepEqual(tries(rotation, 3), [undefined, "b", undefined]);
  assert.equal(rotation.name, "second");
});
