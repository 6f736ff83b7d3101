/** For a listener that must come back to its address, and for ports where nobody listens. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** Free on loopback at this moment; somebody else could take it before it is used. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
