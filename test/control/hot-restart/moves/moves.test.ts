/**
 * A batch of connections between two processes: whatever becomes of either in between, exactly one of them has each
 * connection, and no descriptor is left open in the other.
 */
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { MoveMessage } from "../../../../src/control/hot-restart/moves/move-messages.ts";
import { ElderListener } from "../../../../src/control/hot-restart/reports/elder-listener.ts";
import type { DescriptorStream } from "../../../../src/shared/io/descriptor-stream.ts";
import {
  type MovedConnection,
  type UpgradedRequest,
  descriptorsOf,
} from "../../../../src/shared/protocol/moved-connection.ts";
import { until } from "../../../support/until.ts";
import { VirtualClock } from "../../../support/virtual-clock.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "descriptors are handed over on Linux alone", timeout: 60_000 };
const address = { kind: "ip", ip: "127.0.0.1", port: 80 } as const;
const host = { kind: "ip", ip: "127.0.0.1", port: 81 } as const;
const elder = new ElderListener({ onDrains() {}, onStats() {}, onEmpty() {}, onGone() {} });
const told = { ageMs: 5, upstreamAgeMs: 4, bytesReceived: 7, bytesSent: 9 };
const frame = { missing: 3, headAt: 0, lengthBytes: 0, length: 3, isMasked: true, hasClose: false };
const request: UpgradedRequest = {
  upgradeType: "websocket",
  upstreamKind: "http1",
  priority: "high",
  limits: { quietMs: 1, idleMs: 0, durationMs: "none", tryIdleMs: 2, tryEndsInMs: 3 },
  texts: { path: "/chat", requestId: "ü" },
  counts: {
    minorVersion: 1,
    responseCode: 101,
    upstreamAttemptCount: 1,
    upstreamBytesReceived: 8,
    upstreamBytesSent: 6,
  },
  ages: { startMs: 5, responseStartAtMs: 2 },
  forwardedAddress: { kind: "ip", ip: "::1", port: 0 },
  requestFields: [["user-agent", "a"]],
  responseFields: [],
  webSocket: { toClient: frame, toHost: frame },
};

test("what the new process can serve is its own, and the rest comes back", onLinux, async () => {
  await using pair = await Pair.create();
  const adopted: MovedConnection[] = [];
  pair.receive(
    { canServe: (each) => each.map((one) => one.kind === "idle" || one.cluster !== "unknown") },
    adopted,
  );
  await pair.sender.whenMarked();
  assert.equal(pair.sender.hashAt(address), "same");
  const tooLong = upgraded({ ...request, texts: { path: "/".repeat(20_000) } });
  const mine = [idle(), proxied("known"), proxied("unknown"), tooLong, upgraded(request)];
  const kept = await pair.sender.send(address, mine);
  assert.deepEqual(new Set(kept), new Set([mine[2], mine[3]]));
  await until(() => adopted.length === 3, "they are adopted");
  const numbers = { descriptor: 0, upstream: 0 };
  assert.deepEqual(
    adopted.map((each) => ({ ...each, ...numbers })),
    [mine[0], mine[1], mine[4]].map((each) => ({ ...each, ...numbers })),
  );
  closeAll([...kept, ...adopted]);
});

test("more than go in one message all arrive", onLinux, async () => {
  await using pair = await Pair.create();
  const adopted: MovedConnection[] = [];
  pair.receive({ canServe: (each) => each.map(() => true) }, adopted);
  // By descriptors, and by the bytes that it takes to tell of them.
  const long = { ...request, texts: { path: "/".repeat(10_000) } };
  const mine = Array.from({ length: 300 }, (_, i) =>
    i < 280 ? idle() : i % 2 === 0 ? proxied("known") : upgraded(long),
  );
  assert.deepEqual(await pair.sender.send(address, mine), []);
  await until(() => adopted.length === 300, "they are adopted");
  closeAll(adopted);
});

test(
  "a new process that ends before it has said that it takes them has none",
  onLinux,
  async () => {
    await using pair = await Pair.create();
    pair.other.onPiece((piece) => {
      if (piece.kind === "bytes") closeFds(piece.descriptors);
      pair.other[Symbol.dispose]();
    });
    const mine = [idle(), proxied("known")];
    assert.deepEqual(await pair.sender.send(address, mine), mine);
    assert.deepEqual(await pair.sender.send(address, mine), mine, "it is lost for good");
    assert.equal(pair.sender.hashAt(address), undefined);
    closeAll(mine);
  },
);

test("one that has said so and ends took them with it", onLinux, async () => {
  await using pair = await Pair.create();
  pair.other.onPiece((piece) => {
    if (piece.kind === "bytes") closeFds(piece.descriptors);
    pair.say({ kind: "taken", batch: 1, refused: [] });
    pair.other[Symbol.dispose]();
  });
  assert.deepEqual(await pair.sender.send(address, [idle()]), []);
});

test("one that does not answer is not heard any more, and has none", onLinux, async () => {
  await using pair = await Pair.create();
  let came = 0;
  pair.other.onPiece((piece) => {
    if (piece.kind === "bytes") closeFds(piece.descriptors);
    came++;
  });
  const mine = [idle()];
  const sent = pair.sender.send(address, mine);
  await until(() => came > 0, "it has come");
  await pair.clock.advance(5_000);
  assert(pair.say({ kind: "taken", batch: 1, refused: [] }) < 0, "it learns that it is too late");
  assert.deepEqual(await sent, mine);
  closeAll(mine);
});

test("an answer to another batch is none, and garbage is an end", onLinux, async () => {
  for (const answer of [
    { kind: "taken", batch: 2, refused: [] },
    { kind: "taken", batch: 1, refused: [200] },
    { kind: "taken", batch: 1 },
  ]) {
    await using pair = await Pair.create();
    pair.other.onPiece((piece) => {
      if (piece.kind === "bytes") closeFds(piece.descriptors);
      pair.say(answer as unknown as MoveMessage);
      pair.other[Symbol.dispose]();
    });
    const mine = [idle()];
    assert.deepEqual(await pair.sender.send(address, mine), mine);
    closeAll(mine);
  }
});

test("of another version of these messages no connection is given", onLinux, async () => {
  await using pair = await Pair.create();
  const listeners = [{ address: "tcp://127.0.0.1:80", hash: "same" }];
  pair.say({ kind: "accepts", version: 1, listeners, isLast: true });
  await pair.sender.whenMarked();
  assert.equal(pair.sender.hashAt(address), undefined);
});

test("a message with too few descriptors is refused whole", onLinux, async () => {
  await using pair = await Pair.create();
  const { ConnectionReceiver } = pair.modules;
  const service = {
    marks: [],
    canServe: () => [true, true],
    adopt: () => assert.fail("not its own"),
    elder,
  };
  const receiver = new ConnectionReceiver(pair.other, pair.clock, service);
  const fd = openSync("/dev/null", "r");
  const one = { kind: "idle", ageMs: 0, requests: 1 } as const;
  const connections = [one, one];
  const message = {
    kind: "connections",
    batch: 1,
    address: "tcp://127.0.0.1:80",
    connections,
  } as const;
  await receiver.receive(message, [fd]);
  assert.throws(() => closeSync(fd), /EBADF/);
});

/** Both ends of the stream between two processes; fails if a descriptor is left open. */
class Pair implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly modules: Modules;
  readonly sender: InstanceType<Modules["ConnectionSender"]>;
  /** The new process's end. */
  readonly other: DescriptorStream;
  readonly #owned: DisposableStack;
  readonly #openBefore: number;

  static async create(): Promise<Pair> {
    const modules = await load();
    const openBefore = openCount();
    const owned = new DisposableStack();
    const dir = mkdtempSync(path.join(tmpdir(), "sluice-moves-"));
    owned.defer(() => rmSync(dir, { recursive: true }));
    const server = modules.DescriptorServer.listen(path.join(dir, "s"), 0o600);
    assert(typeof server !== "number");
    owned.use(server);
    const accepted = new Promise<DescriptorStream>((resolve) => server.onStream(resolve));
    const own = modules.DescriptorStream.connect(path.join(dir, "s"));
    assert(typeof own !== "number");
    return new Pair({ modules, owned, openBefore, own, other: await accepted });
  }

  private constructor(parts: {
    readonly modules: Modules;
    readonly owned: DisposableStack;
    readonly openBefore: number;
    readonly own: DescriptorStream;
    readonly other: DescriptorStream;
  }) {
    this.modules = parts.modules;
    this.#owned = parts.owned;
    this.#openBefore = parts.openBefore;
    this.other = parts.owned.use(parts.other);
    parts.owned.use(parts.own);
    const sender = new parts.modules.ConnectionSender(parts.own, this.clock);
    parts.own.onPiece((piece) => sender.read(piece));
    this.sender = sender;
  }

  /** Below 0: the errno, negated. */
  say(message: MoveMessage): number {
    return this.other.send(this.modules.encodeMessage(message));
  }

  /** As the new process does. */
  receive(
    judge: { canServe: (connections: readonly MovedConnection[]) => readonly boolean[] },
    adopted: MovedConnection[],
  ): void {
    const { ConnectionReceiver, MessageReader } = this.modules;
    const receiver = new ConnectionReceiver(this.other, this.clock, {
      marks: [{ address: "tcp://127.0.0.1:80", hash: "same" }],
      canServe: (_, connections) => judge.canServe(connections),
      adopt: (_, connections) => {
        adopted.push(...connections);
        return Promise.resolve();
      },
      elder,
    });
    const reader = new MessageReader();
    const descriptors: number[] = [];
    this.other.onPiece((piece) => {
      if (piece.kind === "end") return;
      descriptors.push(...piece.descriptors);
      const read = reader.read(piece.bytes);
      assert(read.ok);
      for (const message of read.messages)
        if (message.kind === "connections") void receiver.receive(message, descriptors.splice(0));
    });
    void receiver.mark();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#owned.dispose();
    await until(() => openCount() <= this.#openBefore, "nothing is left open");
  }
}

type Modules = Awaited<ReturnType<typeof load>>;

/** Only where there are foreign functions. */
async function load() {
  const [messages, sender, receiver, stream] = await Promise.all([
    import("../../../../src/control/hot-restart/handover/messages.ts"),
    import("../../../../src/control/hot-restart/moves/connection-sender.ts"),
    import("../../../../src/control/hot-restart/moves/connection-receiver.ts"),
    import("../../../../src/shared/io/descriptor-stream.ts"),
  ]);
  return { ...messages, ...sender, ...receiver, ...stream };
}

function idle(): MovedConnection {
  return { kind: "idle", descriptor: openSync("/dev/null", "r"), ageMs: 5, requests: 2 };
}

function proxied(cluster: string): MovedConnection {
  return { kind: "proxied", ...joined(), cluster };
}

function upgraded(asked: UpgradedRequest): MovedConnection {
  return { kind: "upgraded", ...joined(), request: asked, isTooOld: false };
}

function joined() {
  const [descriptor, upstream] = [openSync("/dev/null", "r"), openSync("/dev/null", "r")];
  return { descriptor, upstream, cluster: "known", host, ...told };
}

function closeAll(connections: readonly MovedConnection[]): void {
  closeFds(connections.flatMap(descriptorsOf));
}

function closeFds(descriptors: readonly number[]): void {
  for (const fd of descriptors) closeSync(fd);
}

function openCount(): number {
  return readdirSync("/proc/self/fd").length;
}
