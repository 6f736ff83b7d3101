/**
 * A real systemd as PID 1 of namespaces of its own (`boot-systemd.sh`): processes, files, network, cgroup. It knows the units
 * that a test gives it, with the checkout at /opt/sluice; ports are its own, so they may be those of the units.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "./until.ts";

const namespaces = ["--pid", "--mount", "--cgroup", "--ipc", "--uts", "--net"];

/** As `boot-systemd.sh`; `unshare` sees to it that nobody else does. */
const whatItMounts = `
  mount -t tmpfs tmpfs /mnt
  mkdir /mnt/upper /mnt/work /mnt/root
  mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
  mount -t proc proc /mnt/root/proc
  mount -t cgroup2 cgroup2 /mnt/root/sys
`;

/** Why none can run here; undefined: it can. */
export function whyNoSystemd(): string | undefined {
  if (!existsSync("/usr/lib/systemd/systemd")) return "systemd is not installed";
  if (process.getuid?.() !== 0) return "only the superuser may make namespaces";
  if (cgroupFolder() === undefined) return "cgroup2 is not mounted";
  const { status, stderr } = spawnSync(
    "unshare",
    [...namespaces, "--fork", "sh", "-ec", whatItMounts],
    { encoding: "utf8" },
  );
  return status === 0 ? undefined : `it may not have namespaces and mounts: ${stderr}`;
}

export class SystemdStage implements AsyncDisposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "sluice-systemd-"));
  readonly #cgroup: string;
  readonly #unshare: ChildProcess;
  readonly #started: ChildProcess[] = [];
  #log = "";
  #pid = 0;

  private constructor(units: Readonly<Record<string, string>>) {
    mkdirSync(path.join(this.#folder, "etc"));
    mkdirSync(path.join(this.#folder, "run"));
    const targets = ["stage", "sysinit", "basic", "sockets", "shutdown", "multi-user"];
    for (const name of targets)
      writeFileSync(
        path.join(this.#folder, `${name}.target`),
        `[Unit]\nDescription=${name}\nDefaultDependencies=no\n`,
      );
    for (const [name, text] of Object.entries(units)) this.write(name, text);
    this.#cgroup = path.join(cgroupFolder() ?? "", `sluice-stage-${process.pid}`);
    mkdirSync(this.#cgroup, { recursive: true });
    const boot = path.resolve("test/support/boot-systemd.sh");
    // In the cgroup first, which is the root of its own namespace then.
    const enter = 'echo $$ > "$0/cgroup.procs"; exec unshare "$@"';
    const args = [...namespaces, "--fork", "--kill-child", boot, this.#folder, process.cwd()];
    this.#unshare = spawn("sh", ["-c", enter, this.#cgroup, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#unshare.stdout, this.#unshare.stderr])
      stream?.on("data", (bytes) => (this.#log += String(bytes)));
  }

  static async start(units: Readonly<Record<string, string>>): Promise<SystemdStage> {
    const stage = new SystemdStage(units);
    const { pid = 0 } = stage.#unshare;
    await until(() => {
      if (stage.#unshare.exitCode !== null) throw new Error(`it does not boot: ${stage.#log}`);
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
      if (children === "") return false;
      stage.#pid = Number(children.split(" ")[0]);
      return stage.systemctl("is-system-running").stdout === "running\n";
    }, "systemd runs");
    return stage;
  }

  /** A unit, or under `etc/` what is in /etc/sluice: at once. */
  write(name: string, text: string): void {
    const file = path.join(this.#folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(`${file}.next`, text);
    renameSync(`${file}.next`, file);
  }

  /** What services have written into /run/stage. */
  read(name: string): string {
    const file = path.join(this.#folder, "run", name);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  systemctl(...args: readonly string[]) {
    return this.run("systemctl", "--no-pager", ...args);
  }

  /** Resolves with what it has printed; rejects with that where it fails. */
  async order(...args: readonly string[]): Promise<string> {
    const child = this.#spawn(this.#inside(["systemctl", "--no-pager", ...args]));
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes) => (said += String(bytes)));
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`systemctl ${args.join(" ")}: ${said}`);
    return said;
  }

  property(unit: string, name: string): string {
    return this.systemctl("show", unit, "--value", "-p", name).stdout.trim();
  }

  run(program: string, ...args: readonly string[]) {
    return spawnSync("nsenter", this.#inside([program, ...args]), { encoding: "utf8" });
  }

  /** A process of ours that shares the network alone, and so can be signalled. */
  join(program: string, ...args: readonly string[]): ChildProcess {
    return this.#spawn(["-t", String(this.#pid), "-n", "--", program, ...args]);
  }

  #spawn(args: readonly string[]): ChildProcess {
    const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#started.push(child);
    return child;
  }

  #inside(command: readonly string[]): readonly string[] {
    return ["-t", String(this.#pid), "-m", "-p", "-n", "-C", "--", ...command];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started) if (child.exitCode === null) child.kill("SIGKILL");
    if (this.#unshare.exitCode === null) {
      const ended = once(this.#unshare, "close");
      // With PID 1 all of its namespace ends.
      if (this.#pid > 0) process.kill(this.#pid, "SIGKILL");
      else this.#unshare.kill("SIGKILL");
      await ended;
    }
    await until(() => removeCgroup(this.#cgroup), "its cgroup is empty");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Of this process, where cgroup2 is mounted; undefined: nowhere. */
function cgroupFolder(): string | undefined {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const mount = mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
  return mount === undefined || own === undefined ? undefined : path.join(mount, own);
}

/** False while a process in it has not quite ended. */
function removeCgroup(folder: string): boolean {
  const children = readdirSync(folder, { withFileTypes: true }).filter((each) =>
    each.isDirectory(),
  );
  const isEmpty = children.map(({ name }) => removeCgroup(path.join(folder, name))).every(Boolean);
  if (!isEmpty) return false;
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}
