/**
 * Two sockets of one reactor, connected to each other, and any order of operations on both. Whatever
 * happens: what arrives is a prefix of what was written, all of it where both ended in order, and
 * `onClosed` comes exactly once, last.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Socket } from "../../../src/shared/io/reactor.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { Recorder } from "../../support/recorder.ts";

const options = { bufferLimitBytes: 64 * 1024, noDelay: true };
const kinds = ["write", "readingOff", "readingOn", "turn", "fin", "flush", "now", "reset"] as const;

interface Step {
  readonly side: number;
  readonly kind: (typeof kinds)[number];
  readonly bytes: number;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    side: fc.constantFrom(0, 1),
    // Ends are rare, or most runs would be short.
    kind: fc.constantFrom(...kinds, "write", "write", "write", "write", "turn", "turn"),
    bytes: fc.integer({ min: 1, max: 120_000 }),
  }),
  { maxLength: 30 },
);

/** The byte at each place of a side's output: checked on arrival. */
const byteAt = (side: number, index: number): number => (index * 31 + (index >> 8) + side) & 255;

class Side {
  readonly recorder: Recorder;
  socket: Socket | undefined;
  writtenBytes = 0;
  /** Sends no more. */
  isFinished = false;
  /** What it wrote may be lost. */
  isCutShort = false;

  constructor(context: TestReactor, index: number) {
    const { arena } = context.reactor;
    const isAlive = (): void => assert(!this.recorder.isClosed, "a callback after the end");
    this.recorder = new Recorder(context.reactor, {
      onData: (start, end) => {
        isAlive();
        const first = this.recorder.receivedBytes - (end - start);
        for (let i = 0; i < end - start; i++) {
          if (arena.bytes[start + i] === byteAt(1 - index, first + i)) continue;
          assert.fail(`byte ${first + i} is wrong`);
        }
      },
      onConnected: isAlive,
      onEnd: isAlive,
      onAboveHighWatermark: isAlive,
      onBelowLowWatermark: isAlive,
    }).countOnly();
  }
}

async function connectSides(context: TestReactor): Promise<[Side, Side]> {
  const { reactor } = context;
  const { ref } = await context.listenSocket();
  const sides: [Side, Side] = [new Side(context, 0), new Side(context, 1)];
  sides[0].socket = reactor.connect(ref.localAddress, sides[0].recorder, options);
  await new Promise<void>((resolve) => {
    const registration = reactor.listen(ref, {
      acceptsPerEventMax: 1,
      onAccepted: (descriptor) => {
        sides[1].socket = reactor.adopt(descriptor, sides[1].recorder, options);
        registration[Symbol.dispose]();
        resolve();
      },
      onBatch: () => {},
      onExhausted: () => {},
    });
  });
  return sides;
}

async function apply({ reactor }: TestReactor, side: Side, step: Step): Promise<void> {
  const { arena } = reactor;
  const socket = side.socket ?? assert.fail();
  const start = arena.scratchStart;
  switch (step.kind) {
    case "write":
      for (let i = 0; i < step.bytes; i++) {
        arena.bytes[start + i] = byteAt(step.side, side.writtenBytes + i);
      }
      if (!side.isFinished) side.writtenBytes += step.bytes;
      socket.write(start, start + step.bytes);
      break;
    case "readingOff":
    case "readingOn":
      socket.setReading(step.kind === "readingOn");
      break;
    case "turn":
      await new Promise(setImmediate);
      break;
    case "fin":
      socket.shutdownWrite();
      side.isFinished = true;
      break;
    case "flush":
    case "now":
    case "reset":
      socket.close(step.kind);
      side.isFinished = true;
      side.isCutShort = true;
      break;
    default:
      step.kind satisfies never;
  }
}

forEachReactor("any order of operations keeps the promises", {}, async (context) => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const sides = await connectSides(context);
      for (const step of sequence) await apply(context, sides[step.side] ?? assert.fail(), step);
      for (const { socket } of sides) {
        socket?.setReading(true);
        socket?.shutdownWrite();
      }
      await Promise.all(sides.map(({ recorder }) => recorder.closed()));
      const [one, two] = sides;
      const isInOrder = !one.isCutShort && !two.isCutShort;
      for (const [from, to] of [[one, two] as const, [two, one] as const]) {
        assert.equal(to.recorder.events.filter((event) => event.startsWith("closed")).length, 1);
        assert(to.recorder.receivedBytes <= from.writtenBytes);
        if (isInOrder) assert.equal(to.recorder.receivedBytes, from.writtenBytes);
        if (isInOrder) assert.equal(to.recorder.events.at(-1), "closed remote");
      }
      assert.deepEqual(context.bugs.splice(0), []);
      assert.equal(context.reactor.arenaBytesInUse, 0);
    }),
    { numRuns: 150 },
  );
});
