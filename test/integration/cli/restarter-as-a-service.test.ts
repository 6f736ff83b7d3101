/** `sluice restarter` as the first process of a container and as a service of systemd: what the system asks of each. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, type Server, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { suite, test, type TestContext } from "node:test";
import { SluiceProgram } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

const sluice = path.resolve("bin/sluice");
const child = [process.execPath, path.resolve("test/support/restarter-child.mjs")];
const flags = ["restarter", "--no-validate", "--settle-s", "0", "--"];
const isLinux = process.platform === "linux";
const asPidOne = ["--pid", "--fork", "--mount-proc", "--kill-child"];
const hasNamespaces = isLinux && spawnSync("unshare", [...asPidOne, "true"]).status === 0;

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-service-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(path.join(folder, "config"), "good");
  return folder;
}

function fileOf(folder: string, name: string): string {
  try {
    return readFileSync(path.join(folder, name), "utf8");
  } catch {
    return "";
  }
}

async function ended(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const exited = once(process, "exit");
  process.kill("SIGKILL");
  await exited;
}

suite("sluice restarter as PID 1", { skip: !hasNamespaces && "no pid namespaces here" }, () => {
  test("reaps orphans, and sees its own children end all the same", async (t) => {
    const folder = folderOf(t);
    // Each epoch leaves an orphan, which ends while nothing of Node's own does.
    const script = `(sleep 0.2 &); echo orphaned >> said; trap 'exit 0' TERM; while :; do sleep 0.05; done`;
    const namespace = spawn("unshare", [...asPidOne, sluice, ...flags, "/bin/sh", "-c", script], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    t.after(() => ended(namespace));
    let stderr = "";
    namespace.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    await until(() => stderr.includes("epoch 0 serves"), "epoch 0 serves");
    assert.match(stderr, /\[1\]\[info\]\[restarter\]/, "it is PID 1");
    // The pid of the restarter outside of the namespace.
    const inside = spawnSync("pgrep", ["-P", String(namespace.pid)], { encoding: "utf8" });
    const restarter = Number(inside.stdout.trim());
    assert(restarter > 1);
    process.kill(restarter, "SIGHUP");
    await until(() => stderr.includes("epoch 1 serves"), "epoch 1 serves");
    await until(() => fileOf(folder, "said").split("orphaned").length === 3, "there are orphans");
    const orphans = (): string => {
      const children = ["-o", "stat=,comm=", "--ppid", String(restarter)];
      const { stdout } = spawnSync("ps", children, { encoding: "utf8" });
      return stdout
        .split("\n")
        .filter((line) => line.includes("sleep"))
        .join();
    };
    // As zombies they would be there for ever.
    await until(() => orphans() === "", "the orphans are gone");
    process.kill(restarter, "SIGTERM");
    await once(namespace, "exit");
    assert.equal(namespace.exitCode, 0, stderr);
    assert.match(stderr, /epoch 0 has ended/);
    assert.match(stderr, /epoch 1 has ended/);
  });
});

suite(
  "sluice restarter under systemd",
  { skip: !isLinux && "there is systemd on Linux alone" },
  () => {
    for (const kind of ["a path", "an abstract name"] as const) {
      test(`tells its phases to ${kind}`, async (t) => {
        const { DatagramReceiver } = await import("../../support/datagram-receiver.ts");
        const folder = folderOf(t);
        const name = path.join(folder, "notify");
        const socket = kind === "a path" ? name : `@${name}`;
        using receiver = new DatagramReceiver(socket);
        await using program = new SluiceProgram([...flags, ...child], {
          files: { config: "good" },
          env: { NOTIFY_SOCKET: socket },
        });
        const { pid } = program.child;
        const next = (): Promise<string> =>
          until(() => receiver.take(), `a word: ${program.stderr}`);
        assert.equal(await next(), `READY=1\nMAINPID=${pid}\nSTATUS=epoch 0 serves`);
        await until(() => program.file("said").includes("pid"), "the child hears signals");
        const beforeUs = process.hrtime.bigint() / 1000n;
        program.child.kill("SIGHUP");
        const reloading = /^RELOADING=1\nMONOTONIC_USEC=(\d+)\n/.exec(await next());
        // systemd takes a reload for begun only if it began after it was asked for.
        assert(BigInt(reloading?.[1] ?? 0) >= beforeUs);
        assert.equal(await next(), `READY=1\nMAINPID=${pid}\nSTATUS=epoch 1 serves`);
        program.child.kill("SIGTERM");
        assert.equal(await next(), "STOPPING=1\nSTATUS=ending");
        assert.equal(await program.exit, 0);
      });
    }

    test("hands sockets on to each epoch, as its own", async (t) => {
      const folder = folderOf(t);
      const server: Server = createServer();
      await once(server.listen(0, "127.0.0.1"), "listening");
      t.after(() => server.close());
      const { port } = server.address() as AddressInfo;
      // What systemd does: the socket is descriptor 3, and LISTEN_PID is the process that the program runs in.
      const script = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"';
      const descriptor = (server as unknown as { _handle: { fd: number } })._handle.fd;
      const restarter = spawn("/bin/sh", ["-c", script, "sh", sluice, ...flags, ...child], {
        cwd: folder,
        stdio: ["ignore", "ignore", "inherit", descriptor],
      });
      t.after(() => ended(restarter));
      server.close();
      await until(() => fileOf(folder, "said").includes("0 may take 1: true"), "it may take it");
      assert.equal(await answerOf(port), "epoch 0");
      restarter.kill("SIGHUP");
      await until(() => fileOf(folder, "said").includes("1 may take 1: true"), "the next may, too");
      restarter.kill("SIGTERM");
      await once(restarter, "exit");
      assert.equal(restarter.exitCode, 0);
    });
  },
);

async function answerOf(port: number): Promise<string> {
  let text = "";
  for await (const chunk of connect(port, "127.0.0.1").setEncoding("utf8")) text += String(chunk);
  return text;
}
