import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * What a proxy has used, over every thread of every process it consists of (nginx and HAProxy have
 * a master and a worker). CPU is read from schedstat: nanoseconds on a core. The clock ticks of
 * /proc/PID/stat are samples, and miss what a thread does between two of them.
 */
export interface Usage {
  /** Nanoseconds on a core since the start, of the threads that still live. */
  readonly cpuNs: number;
  /** Resident now and at most, in KiB, summed over processes: pages they share count for each. */
  readonly residentKib: number;
  readonly peakResidentKib: number;
}

export function usageOf(rootPid: number): Usage {
  let cpuNs = 0;
  let residentKib = 0;
  let peakResidentKib = 0;
  for (const pid of treeOf(rootPid)) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      cpuNs += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] ?? 0);
    }
    const status = read(`/proc/${pid}/status`);
    residentKib += kib(status, "VmRSS");
    peakResidentKib += kib(status, "VmHWM");
  }
  return { cpuNs, residentKib, peakResidentKib };
}

/** Those that live; a process that has ended has none. */
export function childrenOf(pid: number): number[] {
  if (!existsSync(`/proc/${pid}/task`)) return [];
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(" ").filter(Boolean).map(Number),
  );
}

function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/** Empty where the thread has ended between being listed and being read. */
function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function kib(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}
