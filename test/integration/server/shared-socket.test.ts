/**
 * Who gets a connection when two processes have one listening socket: the question that hand-over rests on, answered by
 * the kernel itself. docs/HOT_RESTART.md says what follows.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { plainListen } from "../../support/reactors.ts";
import { until } from "../../support/until.ts";

const onLinux = {
  skip: process.platform !== "linux" && "descriptors are handed over on Linux alone",
  timeout: 60_000,
};

test(
  "each connection goes to exactly one of two processes, and both get some",
  onLinux,
  async () => {
    await using pair = await Pair.start();
    const answers = await pair.dial(400);
    assert.deepEqual(new Set(answers), new Set(["old", "new"]));
  },
);

test("the old one stops while clients dial: nobody is refused or reset", onLinux, async () => {
  await using pair = await Pair.start();
  const answers = pair.dial(400);
  pair.old.stdin?.end();
  await once(pair.old, "exit");
  assert.equal((await answers).length, 400);
  assert.deepEqual(new Set(await pair.dial(50)), new Set(["new"]));
});

test("what waits in the queue when the old one is killed is the new one's", onLinux, async () => {
  await using pair = await Pair.start();
  pair.old.kill("SIGSTOP");
  pair.new.kill("SIGSTOP");
  const sockets = await Promise.all(Array.from({ length: 50 }, () => pair.connect()));
  pair.old.kill("SIGKILL");
  await once(pair.old, "exit");
  pair.new.kill("SIGCONT");
  const answers = await Promise.all(sockets.map((socket) => text(socket)));
  assert.deepEqual(new Set(answers), new Set(["new"]));
});

class Pair implements AsyncDisposable {
  readonly old: ChildProcess;
  readonly new: ChildProcess;
  readonly #port: number;

  private constructor(fd: number, port: number) {
    this.#port = port;
    this.old = accepting(fd, "old");
    this.new = accepting(fd, "new");
  }

  static async start(): Promise<Pair> {
    const { createEpollListenSockets } =
      await import("../../../src/shared/io/epoll-listen-sockets.ts");
    const address = { kind: "ip", ip: "127.0.0.1", port: 0 } as const;
    const opened = await createEpollListenSockets().openListenSocket(address, {
      ...plainListen,
      backlog: 512,
      ipv6Only: true,
    });
    assert(opened.ok);
    const { socket } = opened;
    socket.startListening();
    const { handle, localAddress } = socket.ref;
    assert(localAddress.kind === "ip");
    const pair = new Pair(handle, localAddress.port);
    // Theirs alone from now on.
    socket.close();
    await Promise.all([pair.old, pair.new].map(listening));
    return pair;
  }

  async connect(): Promise<net.Socket> {
    const socket = net.connect(this.#port, "127.0.0.1");
    await once(socket, "connect");
    return socket;
  }

  /** Eight at a time; what each was answered. */
  async dial(count: number): Promise<readonly string[]> {
    const answers: string[] = [];
    let begun = 0;
    const dialOn = async (): Promise<void> => {
      while (begun++ < count) answers.push(await text(await this.connect()));
    };
    await Promise.all(Array.from({ length: 8 }, dialOn));
    return answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.old, this.new]) child.kill("SIGKILL");
    await until(
      () =>
        [this.old, this.new].every(({ signalCode, exitCode }) => signalCode ?? exitCode !== null),
      "both are gone",
    );
  }
}

function accepting(fd: number, name: string): ChildProcess {
  const args = ["test/support/accepting-child.mjs", name];
  return spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit", fd] });
}

async function listening(child: ChildProcess): Promise<void> {
  assert(child.stdout);
  await once(child.stdout, "data");
}
