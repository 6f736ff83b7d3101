import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/**
 * Ports that are free at this moment, all different. Somebody else could take one before it is used:
 * for a demonstration on loopback that is good enough, and it would be told as a bind error.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
