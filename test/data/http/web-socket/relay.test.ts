/** WebSockets that are told to go: whatever passed, and wherever it was cut, each end hears one Close between two frames. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeadWriter } from "../../../../src/data/http/http1/head-writer.ts";
import { WebSocketFrames } from "../../../../src/data/http/web-socket/frames.ts";
import { WebSocketRelay } from "../../../../src/data/http/web-socket/relay.ts";
import { drainId } from "../../../../src/shared/common/brand.ts";
import { type DrainStart, drainPolicyDefaults } from "../../../../src/shared/drain/drain.ts";
import { createTestArena } from "../../../support/arena.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import {
  closeCode,
  closeFrame,
  FrameReader,
  frameOf,
  opcodes,
  type WebSocketFrame,
} from "../../../support/web-socket-peers.ts";

const key = Buffer.from([1, 2, 3, 4]);
const drain: DrainStart = {
  ...drainPolicyDefaults,
  id: drainId(1),
  cause: "lds-remove",
  strategy: "immediate",
  startMs: 0,
  deadlineMs: 60_000,
  idleGraceMs: 5_000,
  cutsAtDeadline: true,
};

/** A relay between two ends that remember what they heard. */
class Stage {
  readonly arena = createTestArena();
  readonly reactor = { nowMs: 0, arena: this.arena };
  readonly heard = { client: [] as Buffer[], host: [] as Buffer[] };
  readonly ended = { client: 0, host: 0 };
  dueMs = Infinity;
  unanswered = 0;
  readonly relay: WebSocketRelay;

  constructor(told?: { graceMs: number; endsMs: number }) {
    const context = {
      reactor: this.reactor,
      writer: new HeadWriter(this.arena),
      worker: { random: seededRandom(1) },
    };
    const hears = (end: "client" | "host") => (from: number, to: number, isEnd: boolean) => {
      this.heard[end].push(Buffer.from(this.arena.bytes.slice(from, to)));
      if (isEnd) this.ended[end]++;
    };
    const ends = {
      toClient: hears("client"),
      toHost: hears("host"),
      atLatest: (dueMs: number) => void (this.dueMs = Math.min(this.dueMs, dueMs)),
      onUnanswered: () => void this.unanswered++,
    };
    this.relay = new WebSocketRelay(context, ends, told);
  }

  says(who: "client" | "host", bytes: Uint8Array, isEnd = false): void {
    const { readStart } = this.arena;
    this.arena.bytes.set(bytes, readStart);
    const end = readStart + bytes.length;
    if (who === "client") this.relay.fromClient(readStart, end, isEnd);
    else this.relay.fromHost(readStart, end, isEnd);
  }

  /** What an end heard: whole frames, and what is left of one. */
  frames(end: "client" | "host"): { readonly whole: WebSocketFrame[]; readonly rest: number } {
    const reader = new FrameReader();
    const whole = reader.take(Buffer.concat(this.heard[end]));
    return { whole, rest: reader.rest.length };
  }
}

function open(): Stage {
  const stage = new Stage();
  stage.relay.onGranted(0, 0);
  return stage;
}

const codes = (frames: readonly WebSocketFrame[]): number[] =>
  frames.filter(({ opcode }) => opcode === opcodes.close).map(closeCode);

test("at a boundary both ends hear a Close at once, and the host's is masked", () => {
  const stage = open();
  stage.relay.goAway(drain);
  const client = stage.frames("client").whole;
  const host = stage.frames("host").whole;
  assert.deepEqual([codes(client), codes(host)], [[1001], [1001]]);
  assert.deepEqual([client[0]?.isMasked, host[0]?.isMasked], [false, true]);
});

test("when both have answered the host hears the end, and nothing is waited for", () => {
  const stage = open();
  stage.relay.goAway(drain);
  stage.says("client", closeFrame(1001, key));
  assert.equal(stage.ended.host, 0);
  stage.says("host", closeFrame(1001));
  assert.equal(stage.ended.host, 1);
  // The host ends it, and with that the client's answer.
  stage.says("host", Buffer.alloc(0), true);
  assert.equal(stage.ended.client, 1);
  assert.deepEqual(codes(stage.frames("client").whole), [1001]);
  assert.equal(stage.unanswered, 0);
});

test("an end that does not answer is waited for as long as the grace", () => {
  const stage = open();
  stage.reactor.nowMs = 1_000;
  stage.relay.goAway(drain);
  assert.equal(stage.dueMs, 6_000);
  stage.says("client", closeFrame(1001, key));
  stage.relay.onDeadline(5_999);
  assert.equal(stage.unanswered, 0);
  stage.relay.onDeadline(6_000);
  assert.equal(stage.unanswered, 1);
  assert.equal(stage.relay.dueMs, Infinity);
});

test("a host that has answered and does not end is waited for no longer", () => {
  const stage = open();
  stage.relay.goAway(drain);
  stage.says("client", closeFrame(1001, key));
  stage.says("host", closeFrame(1001));
  stage.relay.onDeadline(4_999);
  assert.deepEqual([stage.ended.host, stage.unanswered], [1, 0]);
  stage.relay.onDeadline(5_000);
  stage.relay.onDeadline(6_000);
  assert.deepEqual([stage.ended.host, stage.unanswered], [1, 1]);
});

test("the grace ends before the drain does", () => {
  const stage = open();
  stage.reactor.nowMs = 58_000;
  stage.relay.goAway(drain);
  assert.equal(stage.relay.dueMs, 59_900);
});

test("amid a frame nothing is due: it is for the drain's deadline", () => {
  const stage = open();
  stage.says("host", frameOf(opcodes.binary, "abcdef").subarray(0, 4));
  stage.relay.goAway(drain);
  assert.equal(stage.relay.dueMs, Infinity);
  assert.deepEqual(codes(stage.frames("host").whole), [1001]);
  assert.deepEqual(stage.frames("client"), { whole: [], rest: 4 });
  stage.says("host", frameOf(opcodes.binary, "abcdef").subarray(4));
  assert.deepEqual(codes(stage.frames("client").whole), [1001]);
  assert.equal(stage.relay.dueMs, 5_000);
});

test("an end that has said its Close already is followed by none of ours", () => {
  for (const when of ["before", "amid"] as const) {
    const stage = open();
    const said = closeFrame(1000, key);
    stage.says("client", when === "before" ? said : said.subarray(0, 3));
    stage.relay.goAway(drain);
    if (when === "amid") stage.says("client", said.subarray(3));
    assert.deepEqual(codes(stage.frames("host").whole), [1000], when);
    assert.deepEqual(codes(stage.frames("client").whole), [1001], when);
    stage.says("host", closeFrame(1000));
    assert.deepEqual(codes(stage.frames("client").whole), [1001], when);
    assert.equal(stage.ended.host, 1, when);
  }
});

test("one that is granted after it was told goes when what was sent ahead has gone", () => {
  for (const isToldFirst of [true, false]) {
    const stage = new Stage(isToldFirst ? { graceMs: 100, endsMs: Infinity } : undefined);
    stage.says("client", frameOf(opcodes.text, "ahead", key));
    if (!isToldFirst) stage.relay.goAway(drain);
    stage.relay.onGranted(0, 0);
    assert.equal(stage.heard.host.length, 1);
    assert.equal(stage.dueMs, 0);
    stage.relay.onDeadline(0);
    const heard = stage.frames("host").whole.map(({ opcode }) => opcode);
    assert.deepEqual(heard, [opcodes.text, opcodes.close]);
  }
});

interface Said {
  readonly opcode: number;
  /** `permessage-deflate` and what else was agreed upon: of no interest here. */
  readonly extensionBits: number;
  /** Of its message. */
  readonly isLast: boolean;
  readonly payload: Buffer;
}

/** Frames of every form of length, as they are said. */
const anyFrame: fc.Arbitrary<Said> = fc.record({
  opcode: fc.constantFrom(0x0, opcodes.text, opcodes.binary, opcodes.ping, 0xa),
  extensionBits: fc.constantFrom(0, 0x40, 0x70),
  isLast: fc.boolean(),
  payload: fc
    .oneof(fc.nat(10), fc.constantFrom(125, 126, 127, 300, 0xffff, 0x10000), fc.nat(70_000))
    .map((length) => Buffer.alloc(length, 0x88)),
});

function bytesOf(talk: readonly Said[], mask?: Buffer): Buffer[] {
  return talk.map(({ opcode, payload, isLast, extensionBits }) => {
    const bytes = frameOf(opcode, payload, mask);
    bytes[0] = (isLast ? 0x80 : 0) | extensionBits | opcode;
    return bytes;
  });
}

const anyTalk = fc.array(anyFrame, { maxLength: 5 });
const anyCuts = fc.array(fc.nat(), { maxLength: 12 });

test("WebSocketFrames finds the ends of frames wherever their bytes are cut", () => {
  fc.assert(
    fc.property(anyTalk, anyCuts, fc.boolean(), (talk, cuts, isMasked) => {
      const said = bytesOf(talk, isMasked ? key : undefined);
      const ends = said.map((_, i) => Buffer.concat(said.slice(0, i + 1)).length);
      const frames = new WebSocketFrames();
      const found: number[] = [];
      let passed = 0;
      for (const part of partsOf(Buffer.concat(said), cuts)) {
        for (let at = 0; at < part.length;) {
          at = frames.readFrame(part, at, part.length);
          if (frames.isAtBoundary) found.push(passed + at);
        }
        passed += part.length;
      }
      assert.deepEqual(found, ends);
      assert(!frames.hasClose);
    }),
  );
});

test("each end hears whole frames, then one Close, then nothing", () => {
  fc.assert(
    fc.property(anyTalk, anyTalk, anyCuts, fc.nat(20), (ofClient, ofHost, cuts, toldAt) => {
      const stage = open();
      const parts = interleaved(
        partsOf(Buffer.concat(bytesOf(ofClient, key)), cuts),
        partsOf(Buffer.concat(bytesOf(ofHost)), cuts),
      );
      parts.forEach(([who, bytes], i) => {
        if (i === toldAt) stage.relay.goAway(drain);
        stage.says(who, bytes);
      });
      if (toldAt >= parts.length) stage.relay.goAway(drain);
      for (const [end, talk] of [
        ["client", ofHost],
        ["host", ofClient],
      ] as const) {
        const { whole, rest } = stage.frames(end);
        const last = whole.pop();
        assert.equal(rest, 0);
        assert(last !== undefined && closeCode(last) === 1001 && last.opcode === opcodes.close);
        assert(whole.length <= talk.length);
        whole.forEach(({ opcode, payload }, i) => {
          assert.equal(opcode, talk[i]?.opcode);
          assert.deepEqual(payload, talk[i]?.payload);
        });
      }
    }),
  );
});

function partsOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = cuts.map((cut) => (bytes.length === 0 ? 0 : cut % bytes.length)).sort((a, b) => a - b);
  const bounds = [0, ...at, bytes.length];
  return bounds.slice(1).map((end, i) => bytes.subarray(bounds[i], end));
}

function interleaved(
  ofClient: readonly Buffer[],
  ofHost: readonly Buffer[],
): (readonly ["client" | "host", Buffer])[] {
  const length = Math.max(ofClient.length, ofHost.length);
  return Array.from({ length }, (_, i) => [
    ["client", ofClient[i] ?? Buffer.alloc(0)] as const,
    ["host", ofHost[i] ?? Buffer.alloc(0)] as const,
  ]).flat();
}
