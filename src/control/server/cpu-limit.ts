/**
 * How many processors the process may use: `--concurrency` without the flag. Node follows affinity and cpusets;
 * of cgroups it knows the usual mounts alone, so the quota is read here, of every version, as Envoy does.
 *
 * What one would get wrong: a group is bound by all groups above it, and in a container the path that the kernel
 * tells may not exist under the mount, where the root is the container's own group.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** The content of a file; undefined where there is none. */
export type ReadFile = (path: string) => string | undefined;

/** At least 1: a share of a processor is one worker, which gets its share. */
export function usableProcessors(): number {
  const quota = cgroupProcessors(readOrNothing) ?? Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quota)));
}

/** Processors by quota, possibly a fraction; undefined where none is set. */
export function cgroupProcessors(read: ReadFile): number | undefined {
  const groups = (read("/proc/self/cgroup") ?? "").split("\n").flatMap(parseGroup);
  const quotas = groups.flatMap(({ mount, path, quotaIn }) =>
    withParents(path).flatMap((folder) => quotaIn(read, `${mount}${folder}`) ?? []),
  );
  return quotas.length > 0 ? Math.min(...quotas) : undefined;
}

interface Group {
  readonly mount: string;
  readonly path: string;
  readonly quotaIn: (read: ReadFile, folder: string) => number | undefined;
}

/** `0::/a/b` of version 2, `4:cpu,cpuacct:/a/b` of version 1 (cgroups(7)). */
function parseGroup(line: string): readonly Group[] {
  const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
  if (controllers === undefined || path === undefined) return [];
  if (controllers === "") return [{ mount: "/sys/fs/cgroup", path, quotaIn: quotaOfVersion2 }];
  if (!controllers.split(",").includes("cpu")) return [];
  // Distributions mount it by the whole list, or by one name of it.
  const names = new Set([controllers, "cpu"]);
  return [...names].map((name) => ({
    mount: `/sys/fs/cgroup/${name}`,
    path,
    quotaIn: quotaOfVersion1,
  }));
}

/** `/a/b`, `/a` and the root. */
function withParents(path: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`).concat("");
}

/** `max 100000` is no quota. */
function quotaOfVersion2(read: ReadFile, folder: string): number | undefined {
  const [quota, period] = (read(`${folder}/cpu.max`) ?? "").trim().split(" ");
  return share(quota, period);
}

/** -1 is no quota. */
function quotaOfVersion1(read: ReadFile, folder: string): number | undefined {
  return share(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`));
}

function share(quota: string | undefined, period: string | undefined): number | undefined {
  const processors = Number(quota) / Number(period);
  return processors > 0 && Number.isFinite(processors) ? processors : undefined;
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
