/** Descriptors that a service manager has handed to this process, from 3 on (sd_listen_fds(3)). Pure. */

/** systemd itself hands over no more than its own limit of descriptors; this is far beyond any unit. */
const descriptorsMax = 4096;
export const firstHandedDescriptor = 3;

/** How many; those for another process (`LISTEN_PID`) are none. */
export function descriptorsHandedOver(env: NodeJS.ProcessEnv, pid: number): number {
  if (env["LISTEN_PID"] !== String(pid)) return 0;
  const count = Number(env["LISTEN_FDS"]);
  return Number.isInteger(count) && count > 0 && count <= descriptorsMax ? count : 0;
}

/** What `FileDescriptorName=` says of each, in their order; empty where nothing is said. */
export function descriptorNames(env: NodeJS.ProcessEnv, count: number): readonly string[] {
  const names = (env["LISTEN_FDNAMES"] ?? "").split(":");
  return Array.from({ length: count }, (_, index) => names[index] ?? "");
}
