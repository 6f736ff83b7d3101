/**
 * Runs one test on every reactor that the machine has, or on the one of SLUICE_REACTOR=epoll|node.
 * A test names the capabilities it needs; where one is missing the test is listed as skipped, by name.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/shared/common/address.ts";
import type {
  ListenSocketOptions,
  ListenSockets,
  OwnedListenSocket,
} from "../../src/shared/io/listen-sockets.ts";
import { NodeListenSockets } from "../../src/shared/io/node-listen-sockets.ts";
import { createNodeReactor } from "../../src/shared/io/node-reactor.ts";
import type { Capability, Reactor } from "../../src/shared/io/reactor.ts";
import type { ReactorOptions } from "../../src/shared/io/reactor-options.ts";

export interface TestReactor {
  readonly reactor: Reactor;
  readonly listenSockets: ListenSockets;
  /** What callbacks threw. A test that expects none need not look: leaving any fails it. */
  readonly bugs: unknown[];
  readonly arenaFull: ("queue" | "accept")[];
  /** Binds to a free port of loopback (or where told) and listens; closed with the test. */
  listenSocket(
    address?: SocketAddress,
    options?: Partial<ListenSocketOptions>,
  ): Promise<OwnedListenSocket>;
}

export interface ReactorTestOptions {
  readonly needs?: readonly Capability[];
  readonly arenaBytesMax?: number;
}

/** Far beyond the slowest of these tests, also on a machine that is busy with others. */
const hangMs = 60_000;

export const loopback: SocketAddress = { kind: "ip", ip: "127.0.0.1", port: 0 };

export const plainListen: ListenSocketOptions = {
  backlog: 1024,
  reusePort: false,
  ipv6Only: false,
  freebind: false,
  transparent: false,
  socketOptions: [],
  keepAlive: undefined,
};

const wanted = process.env["SLUICE_REACTOR"];
const kinds = (["epoll", "node"] as const).filter(
  (kind) => (wanted === undefined || wanted === kind) && isAvailable(kind),
);

export function forEachReactor(
  name: string,
  options: ReactorTestOptions,
  body: (context: TestReactor) => Promise<void>,
): void {
  for (const kind of kinds) {
    const missing = kind === "node" ? (options.needs ?? []) : [];
    const skip = missing.length > 0 && `the ${kind} reactor has no ${missing.join(", ")}`;
    test(`${name} [${kind}]`, { skip }, () => runOn(kind, options, body));
  }
}

async function runOn(
  kind: "epoll" | "node",
  options: ReactorTestOptions,
  body: (context: TestReactor) => Promise<void>,
): Promise<void> {
  const bugs: unknown[] = [];
  const arenaFull: ("queue" | "accept")[] = [];
  const { reactor, listenSockets } = await createReactor(kind, {
    arenaBytesMax: options.arenaBytesMax ?? 64 * 1024 * 1024,
    onBug: (error) => bugs.push(error),
    onArenaFull: (what) => arenaFull.push(what),
  });
  const opened: OwnedListenSocket[] = [];
  const listenSocket: TestReactor["listenSocket"] = async (address = loopback, listen = {}) => {
    const result = await listenSockets.openListenSocket(address, { ...plainListen, ...listen });
    assert(result.ok, result.ok ? "" : result.error);
    opened.push(result.socket);
    assert.equal(result.socket.startListening(), undefined);
    return result.socket;
  };
  // Not the runner's own timeout: that leaves the sockets open, and the process running for ever.
  const { promise: tooLong, reject } = Promise.withResolvers<never>();
  const deadline = setTimeout(() => reject(new Error("the test hangs")), hangMs);
  try {
    await Promise.race([body({ reactor, listenSockets, bugs, arenaFull, listenSocket }), tooLong]);
    assert.deepEqual(bugs, []);
  } finally {
    clearTimeout(deadline);
    reactor[Symbol.dispose]();
    for (const socket of opened) socket.close();
  }
}

/** The epoll files are loaded only where they can be: they need Linux's calls. */
async function createReactor(
  kind: "epoll" | "node",
  options: ReactorOptions,
): Promise<{ reactor: Reactor; listenSockets: ListenSockets }> {
  if (kind === "node") {
    const listenSockets = new NodeListenSockets();
    return { reactor: createNodeReactor(options, listenSockets), listenSockets };
  }
  const { createEpollReactor } = await import("../../src/shared/io/epoll-reactor.ts");
  const { createEpollListenSockets } = await import("../../src/shared/io/epoll-listen-sockets.ts");
  return {
    reactor: createEpollReactor(options),
    listenSockets: createEpollListenSockets(),
  };
}

function isAvailable(kind: "epoll" | "node"): boolean {
  return kind === "node" || process.platform === "linux";
}
