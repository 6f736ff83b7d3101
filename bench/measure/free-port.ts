import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/** nginx and HAProxy cannot be asked which port the kernel gave them, so it is chosen beforehand; free on every address. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
