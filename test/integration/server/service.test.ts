/** Sluice as a service of systemd: sockets that it is handed, and what it says of itself. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { GenerationStage } from "../../support/generation-stage.ts";
import { plainListen } from "../../support/reactors.ts";
import { httpListener, routesTo, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "there is systemd on Linux alone", timeout: 60_000 };
/** What systemd does: the sockets are from descriptor 3 on, and LISTEN_PID is the process that the program runs in. */
const script = 'export LISTEN_PID=$$; exec "$@"';

test(
  "sockets that it is handed are taken by address and by name, the rest is closed",
  onLinux,
  async (t) => {
    await using stage = await GenerationStage.start();
    const [web, named, admin, unwanted] = [
      await opened(t),
      await opened(t),
      await opened(t),
      await opened(t),
    ];
    stage.write("handed.json", bootstrap(stage, { web: web.port, admin: admin.port }));
    const descriptors = [web, named, admin, unwanted].map(({ descriptor }) => descriptor);
    const names = "a:other:admin:nobody's:pipe";
    const child = spawn(
      "/bin/sh",
      [
        "-c",
        script,
        "sh",
        path.resolve("bin/sluice"),
        "-c",
        path.join(stage.folder, "handed.json"),
      ],
      {
        // The last is no socket at all.
        stdio: ["ignore", "ignore", "pipe", ...descriptors, "pipe"],
        env: { ...process.env, LISTEN_FDS: "5", LISTEN_FDNAMES: names },
      },
    );
    const exit = once(child, "exit");
    t.after(() => child.kill("SIGKILL"));
    let log = "";
    child.stderr?.on("data", (bytes) => (log += String(bytes)));
    await until(() => /starting main dispatch loop/.test(log), `it serves: ${log}`);
    for (const { port } of [web, named])
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "fine");
    assert.equal((await fetch(`http://127.0.0.1:${admin.port}/ready`)).status, 200);
    assert.match(
      log,
      new RegExp(
        `no listener is at '127\\.0\\.0\\.1:${unwanted.port}', or is named 'nobody's': descriptor 6 is closed`,
      ),
    );
    assert.match(log, /descriptor 7 'pipe' is no listening TCP or Unix socket: closed/);
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null], log);
    // The one that has opened them has them still: who connects meanwhile waits for the next process.
    const socket = net.connect(web.port, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
  },
);

test("it says when it is ready, taken over from, and ends", onLinux, async () => {
  const { DatagramReceiver } = await import("../../support/datagram-receiver.ts");
  await using stage = await GenerationStage.start();
  const name = path.join(stage.folder, "notify");
  using receiver = new DatagramReceiver(name);
  const next = (): Promise<string> => until(() => receiver.take(), "a word");
  const launch = (number: number, config = "good.json") =>
    stage.launch(number, {
      config,
      handoverDir: path.join(stage.folder, "handover"),
      env: { NOTIFY_SOCKET: name },
    });
  const first = launch(0);
  assert.equal(await next(), `READY=1\nMAINPID=${first.process.pid}\nSTATUS=serving`);
  stage.write("taken.json", bootstrap(stage, { web: portOfAnother, admin: 0 }));
  const refused = launch(1, "taken.json");
  assert.match(await next(), /^RELOADING=1\nMONOTONIC_USEC=\d+\n/);
  assert.deepEqual(await refused.exit, [1, null], refused.log);
  assert.match(
    await next(),
    new RegExp(`^READY=1\nMAINPID=${first.process.pid}\nSTATUS=serving, as`),
  );
  const second = launch(2);
  assert.match(await next(), /^RELOADING=1\n/);
  // Each of them says so: which one is heard is a matter of NotifyAccess=.
  const words = [await next(), await next()].toSorted();
  const { pid } = second.process;
  assert.deepEqual(words, [
    `READY=1\nMAINPID=${pid}\nSTATUS=process ${pid} serves`,
    `READY=1\nMAINPID=${pid}\nSTATUS=serving`,
  ]);
  assert.deepEqual(await first.exit, [0, null], first.log);
  second.process.kill("SIGTERM");
  assert.equal(await next(), "STOPPING=1\nSTATUS=draining");
  assert.deepEqual(await second.exit, [0, null], second.log);
});

/** Cannot be bound: of an address that this machine does not have. */
const portOfAnother = -1;

interface Opened {
  readonly port: number;
  readonly descriptor: number;
}

/** As systemd opens them: nobody accepts there, and they block. */
async function opened(t: TestContext): Promise<Opened> {
  const [{ createEpollListenSockets }, { fcntl, linux }] = await Promise.all([
    import("../../../src/shared/io/epoll-listen-sockets.ts"),
    import("../../../src/shared/io/syscalls.ts"),
  ]);
  const place = { kind: "ip", ip: "127.0.0.1", port: 0 } as const;
  const result = await createEpollListenSockets().openListenSocket(place, plainListen);
  assert(result.ok);
  const { socket } = result;
  t.after(() => socket.close());
  assert.equal(socket.startListening(), undefined);
  const { handle: descriptor, localAddress } = socket.ref;
  assert(localAddress.kind === "ip");
  fcntl(descriptor, linux.F_SETFL, 0);
  return { port: localAddress.port, descriptor };
}

function bootstrap(
  stage: GenerationStage,
  ports: { readonly web: number; readonly admin: number },
): object {
  const at = (port: number): object => ({
    socket_address:
      port < 0
        ? { address: "203.0.113.7", port_value: 1 }
        : { address: "127.0.0.1", port_value: port },
  });
  const routing = { route_config: routesTo("up") };
  return {
    admin: { address: at(ports.admin) },
    static_resources: {
      listeners: [
        { ...httpListener("web", routing), address: at(ports.web) },
        // Of no address that it is handed: it has the name.
        { ...httpListener("other", routing), address: at(1) },
      ],
      clusters: [staticCluster("up", stage.upstream)],
    },
  };
}
