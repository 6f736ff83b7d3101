/**
 * Either side of a hand-over against a peer that ends, or goes wrong, at each message: over real sockets, without a proxy
 * around them. The one that serves goes on, nothing stays open, and the next try works.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../../src/shared/common/clock.ts";
import { plainListen } from "../../../support/reactors.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { until } from "../../../support/until.ts";
import { ElderListener } from "../../../../src/control/hot-restart/reports/elder-listener.ts";
import type { DescriptorStream } from "../../../../src/shared/io/descriptor-stream.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "descriptors are handed over on Linux alone", timeout: 60_000 };
const address = { kind: "ip", ip: "127.0.0.1", port: 1 } as const;
const elder = new ElderListener({ onDrains() {}, onStats() {}, onEmpty() {}, onGone() {} });
const noService = { marks: [], canServe: () => [], adopt: () => Promise.resolve(), elder };
const socketOptions = { ...plainListen, backlog: 16, ipv6Only: true } as const;

test("whatever a new process does before it serves, the old one serves on", onLinux, async () => {
  await using place = await Place.create();
  const old = place.giver();
  const { DescriptorServer, streams, messages } = place.modules;
  const openBefore = openDescriptors();
  /** Each takes one more step than the one before, and ends. */
  const faults: readonly ((
    caller: DescriptorStream,
    came: Promise<DescriptorStream | undefined>,
  ) => Promise<void>)[] = [
    async () => {},
    (caller) => firstPiece(caller),
    async (caller, came) => {
      await firstPiece(caller);
      (await came)?.[Symbol.dispose]();
    },
    async (caller, came) => {
      await firstPiece(caller);
      await firstPiece(await came);
    },
    async (caller, came) => {
      await firstPiece(caller);
      await firstPiece(await came);
      (await came)?.send(Buffer.from("garbage"));
      await until(() => !old.hasSuccessor(), "it is given up");
    },
    async (caller, came) => {
      await firstPiece(caller);
      await firstPiece(await came);
      (await came)?.send(Uint8Array.of(9));
      await until(() => !old.hasSuccessor(), "it is given up");
    },
  ];
  for (const fault of faults) {
    const server = DescriptorServer.listen(place.listenPath, 0o600);
    assert(typeof server !== "number");
    const came = Promise.withResolvers<DescriptorStream | undefined>();
    server.onStream((stream) => came.resolve(stream));
    const caller = streams.connect(place.reconfigPath);
    assert(typeof caller !== "number");
    await fault(caller, came.promise);
    caller[Symbol.dispose]();
    server[Symbol.dispose]();
    came.resolve(undefined);
    (await came.promise)?.[Symbol.dispose]();
    await until(() => openDescriptors() <= openBefore, "nothing is left open");
    assert.equal(old.drains, 0);
    await until(() => !old.hasSuccessor(), "its sockets are its own again");
  }
  const taker = await place.taker();
  assert.equal(taker.hasParent, true);
  const taken = await taker.takeListenSockets(address, 0, true);
  assert.equal(taken.length, 1);
  place.modules.closeDescriptors(taken);
  assert.equal(old.drains, 0, "it has not said that it serves");
  assert.equal(await taker.commit(noService), undefined);
  await until(() => old.drains === 1, "it drains");
  assert.equal(old.adminsClosed, 1);
  taker[Symbol.dispose]();
  assert.deepEqual(readdirSync(place.dir), []);
  assert.equal(messages.handoverVersion, 1);
});

test("of two new ones the second is told so, and the first goes on", onLinux, async () => {
  await using place = await Place.create();
  place.giver();
  const first = await place.taker();
  const second = await place.modules.HandoverTaker.open(place.parts);
  assert(!second.ok);
  assert.match(second.error, /another process is starting/);
  assert.equal(await first.commit(noService), undefined);
  first[Symbol.dispose]();
});

test(
  "an old one that ends or goes wrong mid-transfer leaves a new one alone",
  onLinux,
  async () => {
    const { encodeMessage } =
      await import("../../../../src/control/hot-restart/handover/messages.ts");
    const one = { address: "tcp://127.0.0.1:1", worker: 0, role: "proxy" } as const;
    const frame = encodeMessage({ kind: "sockets", version: 1, total: 2, sockets: [one] });
    const whole = encodeMessage({ kind: "sockets", version: 1, total: 1, sockets: [one] });
    const ahead = encodeMessage({ kind: "sockets", version: 2, total: 0, sockets: [] });
    for (const sent of [
      [],
      [frame],
      [frame.subarray(0, 9)],
      [Buffer.from("{garbage")],
      [whole],
      [ahead],
    ]) {
      await using place = await Place.create();
      const { DescriptorServer } = place.modules;
      const openBefore = openDescriptors();
      const server = DescriptorServer.listen(place.reconfigPath, 0o600);
      assert(typeof server !== "number");
      server.onStream((caller) => {
        caller.send(Uint8Array.of(1));
        const stream = server.connect(place.listenPath);
        if (typeof stream === "number") return;
        // With a descriptor, except where a frame says there is one and there is none.
        for (const bytes of sent) stream.send(bytes, bytes === whole ? [] : [1]);
        stream[Symbol.dispose]();
        caller[Symbol.dispose]();
        server[Symbol.dispose]();
      });
      const taker = await place.taker();
      assert.equal(taker.hasParent, false);
      assert.deepEqual(await taker.takeListenSockets(address, 0, true), []);
      assert.equal(await taker.commit(noService), undefined);
      taker[Symbol.dispose]();
      await until(() => openDescriptors() <= openBefore, "nothing is left open");
    }
  },
);

test(
  "a new one that was given up while it loaded does not serve beside the old one",
  onLinux,
  async () => {
    await using place = await Place.create();
    const old = place.giver();
    const taker = await place.taker();
    old.giver[Symbol.dispose]();
    place.giver();
    await until(() => !taker.hasParent, "it has heard of it");
    assert.match((await taker.commit(noService)) ?? "", /another process serves/);
    taker[Symbol.dispose]();
  },
);

test(
  "who was told of a third process takes nothing back, though that has no name yet",
  onLinux,
  async () => {
    await using place = await Place.create();
    const first = place.giver();
    const second = await place.taker();
    assert.equal(await second.commit(noService), undefined);
    await until(() => first.drains === 1, "the first drains");
    second.succeeded();
    await until(() => first.letGo === 1, "it lets go");
    // It is empty and ends before the third has bound reconfig.sock.
    second[Symbol.dispose]();
    await until(() => readdirSync(place.dir).length === 0, "nobody's names are there");
    await new Promise((resolve) => setImmediate(resolve));
    const third = place.giver();
    await until(() => first.hasSuccessor(), "it stays given");
    assert.deepEqual([first.takenBack, first.letGo, third.drains], [0, 1, 0]);
  },
);

/** A directory, and one socket that is handed over. */
class Place implements AsyncDisposable {
  readonly dir = mkdtempSync(path.join(tmpdir(), "sluice-handover-"));
  readonly parts = {
    options: { dir: this.dir, drainMs: 1_000 },
    clock: systemClock,
    log: silentLogger,
    uid: process.getuid?.() ?? 0,
  };
  readonly reconfigPath = path.join(this.dir, "reconfig.sock");
  readonly listenPath = path.join(this.dir, "listen.sock");
  readonly modules: Awaited<ReturnType<typeof load>>;
  readonly #owned = new DisposableStack();
  readonly #descriptor: number;

  private constructor(modules: Place["modules"], descriptor: number) {
    this.modules = modules;
    this.#descriptor = descriptor;
  }

  static async create(): Promise<Place> {
    const modules = await load();
    const opened = await modules
      .createEpollListenSockets()
      .openListenSocket({ ...address, port: 0 }, socketOptions);
    assert(opened.ok);
    const place = new Place(modules, opened.socket.ref.handle);
    place.#owned.defer(() => opened.socket.close());
    return place;
  }

  giver() {
    const seen = {
      drains: 0,
      letGo: 0,
      takenBack: 0,
      adminsClosed: 0,
      hasSuccessor: (): boolean => false,
    };
    const giver = this.modules.HandoverGiver.open(
      this.parts,
      {
        sockets: (holder) => {
          seen.hasSuccessor = () => holder.isThere;
          const descriptor = this.#descriptor;
          return [{ address: "tcp://127.0.0.1:1", worker: 0, role: "proxy", descriptor }];
        },
        closeAdmin: () => Promise.resolve(void seen.adminsClosed++),
        drainAndEnd: () => void seen.drains++,
        takeOverBegins: () => {},
        servesOn: () => {},
        letGo: () => void seen.letGo++,
        takeBack: () => void seen.takenBack++,
      },
      false,
    );
    assert(typeof giver !== "string");
    this.#owned.use(giver);
    return Object.assign(seen, { giver });
  }

  async taker() {
    const result = await this.modules.HandoverTaker.open(this.parts);
    assert(result.ok);
    return result.taker;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#owned.dispose();
    rmSync(this.dir, { recursive: true, force: true });
    return Promise.resolve();
  }
}

/** Only where there are foreign functions. */
async function load() {
  const [messages, giver, taker, stream, socket, sockets] = await Promise.all([
    import("../../../../src/control/hot-restart/handover/messages.ts"),
    import("../../../../src/control/hot-restart/handover/giver.ts"),
    import("../../../../src/control/hot-restart/handover/taker.ts"),
    import("../../../../src/shared/io/descriptor-stream.ts"),
    import("../../../../src/shared/io/descriptor-socket.ts"),
    import("../../../../src/shared/io/epoll-listen-sockets.ts"),
  ]);
  return {
    messages,
    ...giver,
    ...taker,
    ...sockets,
    streams: stream.DescriptorStream,
    DescriptorServer: stream.DescriptorServer,
    closeDescriptors: socket.closeDescriptors,
  };
}

async function firstPiece(stream: DescriptorStream | undefined): Promise<void> {
  const { closeDescriptors } = await import("../../../../src/shared/io/descriptor-socket.ts");
  const came = Promise.withResolvers<void>();
  stream?.onPiece((piece) => {
    if (piece.kind === "bytes") closeDescriptors(piece.descriptors);
    came.resolve();
  });
  await came.promise;
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
