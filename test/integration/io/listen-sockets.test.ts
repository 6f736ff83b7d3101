/** Listening sockets as main sees them: errors in Envoy's words before anything is accepted. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { forEachReactor, loopback, plainListen } from "../../support/reactors.ts";

forEachReactor("a port in use is an error value, in Envoy's words", {}, async (context) => {
  const { ref } = await context.listenSocket();
  assert(ref.localAddress.kind === "ip");
  assert.notEqual(ref.localAddress.port, 0);
  const result = await context.listenSockets.openListenSocket(ref.localAddress, plainListen);
  assert.deepEqual(result, {
    ok: false,
    error: `cannot bind '127.0.0.1:${ref.localAddress.port}': Address already in use`,
  });
});

forEachReactor("a foreign address cannot be bound", {}, async ({ listenSockets }) => {
  const address = { kind: "ip", ip: "203.0.113.7", port: 0 } as const;
  const result = await listenSockets.openListenSocket(address, plainListen);
  assert.deepEqual(result, {
    ok: false,
    error: "cannot bind '203.0.113.7:0': Cannot assign requested address",
  });
});

forEachReactor("a path that is too long cannot be bound", {}, async ({ listenSockets }) => {
  const address = { kind: "pipe", path: `/tmp/${"x".repeat(120)}`, mode: 0 } as const;
  const result = await listenSockets.openListenSocket(address, plainListen);
  assert.equal(result.ok, false);
});

forEachReactor("closing frees the address", {}, async ({ listenSockets }) => {
  const first = await listenSockets.openListenSocket(loopback, plainListen);
  assert(first.ok);
  first.socket.startListening();
  first.socket.close();
  first.socket.close();
  const again = await listenSockets.openListenSocket(first.socket.ref.localAddress, plainListen);
  assert(again.ok);
  again.socket.close();
});

forEachReactor(
  "a socket file of the last run is replaced; its mode is set",
  {},
  async (context) => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "sluice-io-"));
    const address = { kind: "pipe", path: path.join(folder, "s"), mode: 0o620 } as const;
    for (let i = 0; i < 2; i++) {
      const result = await context.listenSockets.openListenSocket(address, plainListen);
      assert(result.ok, result.ok ? "" : result.error);
      assert.equal(statSync(address.path).mode & 0o777, 0o620);
      assert.deepEqual(result.socket.ref.localAddress, address);
      result.socket.close();
    }
    rmSync(folder, { recursive: true });
  },
);

forEachReactor(
  "bound but not listening: refused, until it listens",
  { needs: ["sharedListenSockets"] },
  async ({ listenSockets }) => {
    const result = await listenSockets.openListenSocket(loopback, plainListen);
    assert(result.ok && result.socket.ref.localAddress.kind === "ip");
    const { port } = result.socket.ref.localAddress;
    const refused = net.connect({ port, host: "127.0.0.1" });
    const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
    assert.equal(error.code, "ECONNREFUSED");
    assert.equal(result.socket.startListening(), undefined);
    const client = net.connect({ port, host: "127.0.0.1" });
    await once(client, "connect");
    client.destroy();
    result.socket.close();
  },
);

forEachReactor(
  "SO_REUSEPORT lets sockets share an address, freebind binds a foreign one",
  { needs: ["reusePort", "socketOptions"] },
  async ({ listenSockets }) => {
    const reuse = { ...plainListen, reusePort: true };
    const first = await listenSockets.openListenSocket(loopback, reuse);
    assert(first.ok);
    const second = await listenSockets.openListenSocket(first.socket.ref.localAddress, reuse);
    assert(second.ok);
    const foreign = { kind: "ip", ip: "203.0.113.7", port: 0 } as const;
    const free = await listenSockets.openListenSocket(foreign, { ...plainListen, freebind: true });
    assert(free.ok);
    for (const { socket } of [first, second, free]) socket.close();
  },
);

forEachReactor(
  "keep-alive of the listening socket is that of its connections",
  { needs: ["socketOptions"] },
  async (context) => {
    const off = await context.listenSocket();
    const keepAlive = { probes: 3, timeS: 1_000, intervalS: undefined };
    const on = await context.listenSocket(loopback, { keepAlive });
    for (const [{ ref }, timer] of [
      [off, "00"],
      [on, "02"],
    ] as const) {
      assert(ref.localAddress.kind === "ip");
      const { port } = ref.localAddress;
      const client = net.connect({ port, host: "127.0.0.1" });
      await once(client, "connect");
      assert.deepEqual(timersOf(port), [timer]);
      client.destroy();
    }
    const zero = { probes: 0, timeS: undefined, intervalS: undefined };
    const refused = await context.listenSockets.openListenSocket(loopback, {
      ...plainListen,
      keepAlive: zero,
    });
    assert.deepEqual(refused, { ok: false, error: "ListenSocket: Setting socket options failed" });
  },
);

/** Of established connections at a local port: 02 is keep-alive's, 00 none (proc(5), /proc/net/tcp). */
function timersOf(port: number): readonly string[] {
  const at = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync("/proc/net/tcp", "utf8").trim().split("\n");
  const fields = rows.map((row) => row.trim().split(/\s+/));
  const established = fields.filter(([, local, , state]) => local === at && state === "01");
  return established.map((row) => row[5]?.slice(0, 2) ?? "");
}

forEachReactor(
  "a transparent socket is bound to an address that is not here",
  { needs: ["socketOptions"] },
  async (context) => {
    const foreign = { kind: "ip", ip: "203.0.113.7", port: 0 } as const;
    const wanted = { ...plainListen, transparent: true };
    const result = await context.listenSockets.openListenSocket(foreign, wanted);
    // Only who may administer the network may (ip(7), IP_TRANSPARENT).
    if (mayAdministerNetwork()) assert(result.ok, result.ok ? "" : result.error);
    else
      assert.deepEqual(result, { ok: false, error: "ListenSocket: Setting socket options failed" });
    if (result.ok) result.socket.close();
  },
);

/** CAP_NET_ADMIN, bit 12 of the effective set (capabilities(7)). */
function mayAdministerNetwork(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return ((BigInt(`0x${effective ?? "0"}`) >> 12n) & 1n) === 1n;
}

forEachReactor(
  "raw socket options are applied at their moment, and their failure names it",
  { needs: ["socketOptions"] },
  async ({ listenSockets }) => {
    // SO_KEEPALIVE as an int, SO_RCVTIMEO as a struct timeval; level 9999 does not exist.
    const keepAlive = { level: 1, name: 9, value: { int: 1 } } as const;
    const timeout = { level: 1, name: 20, value: { bytes: new Uint8Array(16) } } as const;
    const wrong = { level: 9999, name: 1, value: { int: 1 } } as const;
    const open = (option: typeof keepAlive | typeof timeout | typeof wrong, state: State) =>
      listenSockets.openListenSocket(loopback, {
        ...plainListen,
        socketOptions: [{ ...option, state }],
      });
    for (const state of ["prebind", "bound", "listening"] as const) {
      for (const option of [keepAlive, timeout]) {
        const result = await open(option, state);
        assert(result.ok);
        assert.equal(result.socket.startListening(), undefined);
        result.socket.close();
      }
    }
    assert.deepEqual(await open(wrong, "prebind"), {
      ok: false,
      error: "ListenSocket: Setting socket options failed",
    });
    assert.deepEqual(await open(wrong, "bound"), {
      ok: false,
      error: "cannot set post-bound socket option on socket",
    });
    const late = await open(wrong, "listening");
    assert(late.ok);
    assert.equal(late.socket.startListening(), "cannot set post-listen socket option on socket");
    late.socket.close();
  },
);
type State = "prebind" | "bound" | "listening";

forEachReactor(
  "what needs a capability that is missing is refused by name",
  {},
  async ({ listenSockets, reactor }) => {
    if (reactor.capabilities.has("socketOptions")) return;
    const result = await listenSockets.openListenSocket(loopback, {
      ...plainListen,
      freebind: true,
    });
    assert.deepEqual(result, {
      ok: false,
      error: "cannot bind '127.0.0.1:0': socket options need the epoll reactor",
    });
  },
);
