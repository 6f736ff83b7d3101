/**
 * Generations by epochs over the real sockets, without a proxy around them: what a parent answers to each question, and what
 * the flags change.
 */
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { ParentDuties } from "../../../src/control/hot-restart/child-link.ts";
import { FrameReader, frame } from "../../../src/control/hot-restart/frames.ts";
import type { HotRestart } from "../../../src/control/hot-restart/hot-restart.ts";
import type { HotRestartOptions } from "../../../src/control/hot-restart/hot-restart-options.ts";
import { MessageCodec } from "../../../src/control/hot-restart/message-codec.ts";
import { socketName } from "../../../src/control/hot-restart/socket-names.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { openHotRestart } from "../../../src/control/server/hot-restart-setup.ts";
import { systemClock } from "../../../src/shared/common/clock.ts";
import { systemRandom } from "../../../src/shared/common/random.ts";
import { recordingLogger } from "../../support/recording-logger.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { until } from "../../support/until.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "descriptors are handed over on Linux alone", timeout: 60_000 };
const uid = process.getuid?.() ?? 0;
const socketPath = "@envoy_domain_socket";
const protos = createProtoRegistry();
const codec = new MessageCodec(protos);

test(
  "a parent answers each question as such, and says what it does not know",
  onLinux,
  async () => {
    const { DescriptorSocket, closeDescriptors } =
      await import("../../../src/shared/io/descriptor-socket.ts");
    const told: string[] = [];
    const descriptor = openSync("/dev/null", "r");
    using parent = await open({});
    parent.serveChild(duties(told, descriptor), { give: () => {}, sockets: () => [] });
    const { baseId } = parent;
    const bound = DescriptorSocket.bind(socketName({ socketPath, baseId }, "child", 1), 0o600);
    assert(bound.ok);
    using child = bound.socket;
    const reader = new FrameReader();
    const answers: string[] = [];
    child.onDatagram(({ bytes, descriptors }) => {
      const read = reader.read(bytes, process.pid);
      assert(read.kind === "message");
      answers.push(`${answerText(read.bytes)}, ${descriptors.length} descriptors`);
      closeDescriptors(descriptors);
    });
    const cases: readonly (readonly [string, Uint8Array, string])[] = [
      ["a socket that is there", pass("tcp://127.0.0.1:1", 1), "passListenSocket there, 1"],
      ["of a worker that is not", pass("tcp://127.0.0.1:1", 2), "passListenSocket -1, 0"],
      ["an address that is not", pass("tcp://127.0.0.1:2", 1), "passListenSocket -1, 0"],
      ["one that no listener has", pass("udp://127.0.0.1:1", 1), "passListenSocket -1, 0"],
      ["the admin", codec.plainRequest("shutdownAdmin"), "shutdownAdmin 77, 0"],
      ["stats", codec.plainRequest("stats"), "stats 3 connections, c +2, 0"],
      // Field 9 of a request is nothing.
      ["a question of a later version", Buffer.from("0a024a00", "hex"), "not recognized, 0"],
      ["an answer", Buffer.from("1200", "hex"), "not recognized, 0"],
      ["nothing", Buffer.alloc(0), "not recognized, 0"],
      ["no message", Buffer.alloc(9, 255), "not recognized, 0"],
    ];
    const to = socketName({ socketPath, baseId }, "parent", 0);
    for (const [what, message, wanted] of cases) {
      for (const part of frame(message)) assert.equal(child.send(to, part), 0);
      const answer = await until(() => answers.shift(), `${what} is answered`);
      assert.equal(answer, `${wanted} descriptors`, what);
    }
    for (const order of ["testConnection", "drainListeners", "terminate"] as const)
      for (const part of frame(codec.plainRequest(order))) assert.equal(child.send(to, part), 0);
    await until(() => told.includes("terminate"), "it is told to end");
    assert.deepEqual(told, ["shutdownAdmin", "drainListeners", "terminate"]);
    assert.deepEqual(answers, [], "orders are not answered");
    closeSync(descriptor);
  },
);

test(
  "a parent that does not answer as it should is lost, and its child is alone",
  onLinux,
  async () => {
    const { DescriptorSocket } = await import("../../../src/shared/io/descriptor-socket.ts");
    const cases: readonly (readonly [Uint8Array | undefined, RegExp])[] = [
      [codec.shutdownAdminReply(7), /lost: it did not answer passListenSocket as such/],
      [codec.notRecognized(), /lost: it did not answer passListenSocket as such/],
      [Buffer.alloc(9, 255), /lost: it did not answer passListenSocket as such/],
      [undefined, /lost: no answer within 5 s/],
    ];
    using free = await open({});
    for (const [answer, wanted] of cases) {
      const baseId = free.baseId + 1;
      const bound = DescriptorSocket.bind(socketName({ socketPath, baseId }, "parent", 0), 0o600);
      assert(bound.ok);
      using parent = bound.socket;
      const to = socketName({ socketPath, baseId }, "child", 1);
      let asked = 0;
      parent.onDatagram(() => {
        // The first is `testConnection`, which nobody answers.
        if (asked++ === 0) return;
        for (const part of answer ? frame(answer) : []) assert.equal(parent.send(to, part), 0);
      });
      const clock = new VirtualClock();
      const { logger: log, lines } = recordingLogger();
      const opened = await openHotRestart({ ...parts({ epoch: 1, baseId }), clock, log });
      assert(typeof opened !== "string", JSON.stringify(opened));
      using child = opened;
      assert(child.hasParent);
      const taken = child.takeListenSockets({ kind: "ip", ip: "127.0.0.1", port: 1 }, 0, true);
      await until(() => asked > 1, "it is asked");
      if (answer === undefined) await clock.advance(5_000);
      assert.deepEqual(await taken, []);
      assert(!child.hasParent);
      assert.match(lines.join("\n"), wanted);
    }
  },
);

test(
  "sockets that a parent has given at once are its child's, though it dies",
  onLinux,
  async () => {
    const { closeDescriptors } = await import("../../../src/shared/io/descriptor-socket.ts");
    const given = openSync("/dev/null", "r");
    const parent = await open({});
    parent.serveChild(duties([], -1), {
      give: () => {},
      sockets: () => [
        { address: "tcp://127.0.0.1:1", worker: 0, role: "proxy", descriptor: given },
      ],
    });
    using child = await open({ epoch: 1, baseId: parent.baseId });
    parent[Symbol.dispose]();
    closeSync(given);
    const taken = await child.takeListenSockets({ kind: "ip", ip: "127.0.0.1", port: 1 }, 0, true);
    assert.equal(taken.length, 1);
    closeDescriptors(taken);
  },
);

for (const skipsParentStats of [false, true])
  test(
    `the parent's stats are ${skipsParentStats ? "left where they are" : "added"}`,
    onLinux,
    async () => {
      const told: string[] = [];
      using parent = await open({});
      parent.serveChild(duties(told, -1), { give: () => {}, sockets: () => [] });
      using child = await open({ epoch: 1, baseId: parent.baseId, skipsParentStats });
      const merged: object[] = [];
      const states: object[] = [];
      await child.drainParent({
        merge: ({ counterDeltas }) => merged.push(counterDeltas),
        setParent: (state) => states.push(state),
        onGone: () => {},
      });
      await until(() => states.length > 0, "it is asked");
      assert.deepEqual(states[0], { connections: 3, generation: 0 });
      assert.deepEqual(merged, skipsParentStats ? [] : [{ c: 2n }]);
    },
  );

test(
  "a base id that nobody has is chosen and written where that is asked for",
  onLinux,
  async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-epochs-"));
    const baseIdPath = path.join(folder, "id");
    {
      using one = await open({ baseIdPath });
      using other = await open({});
      assert.equal(readFileSync(baseIdPath, "utf8"), String(one.baseId));
      assert.notEqual(one.baseId, other.baseId);
      const unwritable = path.join(folder, "nowhere", "id");
      const baseId = other.baseId + 1;
      const refused = await openHotRestart(parts({ baseId, baseIdPath: unwritable }));
      assert(typeof refused === "string");
      assert.match(refused, /^cannot write --base-id-path '.*nowhere\/id': ENOENT/);
      using _free = await open({ baseId });
    }
    rmSync(folder, { recursive: true });
  },
);

function parts(options: Partial<HotRestartOptions>) {
  return {
    options: {
      epoch: 0,
      baseId: "dynamic" as const,
      baseIdPath: "",
      socketPath,
      socketMode: 0o600,
      skipsOnNoParent: false,
      skipsParentStats: false,
      parentShutdownMs: 60_000,
      ...options,
    },
    protos,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    uid,
  };
}

async function open(options: Partial<HotRestartOptions>): Promise<HotRestart> {
  const opened = await openHotRestart(parts(options));
  assert(typeof opened !== "string", JSON.stringify(opened));
  return opened;
}

/** It listens at 127.0.0.1:1 with worker 1. */
function duties(told: string[], descriptor: number): ParentDuties {
  return {
    share: (address, worker) =>
      address.kind === "ip" && address.port === 1 && worker === 1 ? descriptor : undefined,
    shutdownAdmin: () => {
      told.push("shutdownAdmin");
      return Promise.resolve(77);
    },
    stats: () => ({
      memoryAllocated: 1n,
      numConnections: 3n,
      counterDeltas: { c: 2n },
      gauges: {},
    }),
    drainListeners: () => void told.push("drainListeners"),
    letGo: () => {},
    takeBack: () => {},
    terminate: () => void told.push("terminate"),
  };
}

function pass(address: string, worker: number): Uint8Array {
  return codec.passListenSocket(address, worker);
}

function answerText(bytes: Uint8Array): string {
  const read = codec.read(bytes);
  assert(read.ok);
  const { requestreply, didntRecognizeYourLastMessage } = read.value;
  if (didntRecognizeYourLastMessage) return "not recognized";
  assert(requestreply.case === "reply");
  const { reply } = requestreply.value;
  switch (reply.case) {
    case "passListenSocket":
      return `${reply.case} ${reply.value.fd < 0 ? reply.value.fd : "there"}`;
    case "shutdownAdmin":
      return `${reply.case} ${reply.value.originalStartTimeUnixSeconds}`;
    case "stats":
      return `${reply.case} ${reply.value.numConnections} connections, c +${reply.value.counterDeltas["c"]}`;
    case undefined:
      return "nothing";
    default:
      return reply satisfies never;
  }
}
