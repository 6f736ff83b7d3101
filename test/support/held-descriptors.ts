/**
 * What a process has open and would miss if it were a leak: not the connections of clients and upstreams, which come and go.
 */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

const listening = "0A";

export function heldDescriptors(pid: number): number {
  const connections = new Set(["tcp", "tcp6"].flatMap((table) => connectionInodes(table)));
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(targetOf(pid, fd))?.[1];
    return inode === undefined || !connections.has(inode);
  }).length;
}

/** Of one that has been closed meanwhile: nothing. */
function targetOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return "";
  }
}

function connectionInodes(table: string): readonly string[] {
  const lines = readFileSync(`/proc/net/${table}`, "utf8").trim().split("\n").slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] !== listening)
    .map((columns) => columns[9] ?? "");
}
