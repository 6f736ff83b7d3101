import assert from "node:assert/strict";
import { test } from "node:test";
import { GatheredOutput } from "../../../../src/data/http/http1/gathered-output.ts";
import { arenaLayout } from "../../../../src/shared/io/arena.ts";
import type { OutputOwner } from "../../../../src/shared/io/output-buffers.ts";
import type { Reactor, Socket } from "../../../../src/shared/io/reactor.ts";

const bufferAt = 4 * arenaLayout.outputBytes;

/** One buffer, and a socket that notes what it sends. */
function stage() {
  const bytes = Buffer.alloc(5 * arenaLayout.outputBytes, "-");
  bytes.write("head body more", 0, "latin1");
  const sent: string[] = [];
  const owners = new Set<OutputOwner>();
  const outputs = {
    take: (owner: OutputOwner) => {
      owners.add(owner);
      return bufferAt;
    },
    give: (owner: OutputOwner) => void owners.delete(owner),
  };
  const socket: Partial<Socket> = {
    write: (start, end) => void sent.push(bytes.toString("latin1", start, end)),
  };
  const reactor = { outputs, arena: { bytes } } as unknown as Reactor;
  return { output: new GatheredOutput(reactor, { socket: socket as Socket }), sent, owners };
}

test("a head waits for its body until the round ends", () => {
  const { output, sent, owners } = stage();
  output.write(0, 5, true);
  assert.deepEqual([sent, owners.size], [[], 1]);
  output.write(5, 9, false);
  assert.deepEqual(sent, []);
  output.flushOutput();
  assert.deepEqual([sent, owners.size], [["head body"], 0]);
  output.flushOutput();
  output.write(9, 14, false);
  assert.deepEqual(sent, ["head body", " more"]);
});

test("what does not fit goes out behind what is kept", () => {
  const { output, sent, owners } = stage();
  output.write(0, 5, true);
  output.write(0, arenaLayout.outputBytes, false);
  assert.deepEqual([sent.length, owners.size], [2, 0]);
  assert.equal(sent[0], "head ");
  assert.equal(sent[1]?.length, arenaLayout.outputBytes);
});

test("what is discarded is never sent", () => {
  const { output, sent, owners } = stage();
  output.write(0, 5, true);
  output.discard();
  output.flushOutput();
  assert.deepEqual([sent, owners.size], [[], 0]);
});
