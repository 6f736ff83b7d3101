/** For a listener that must come back to its address, and for ports where nobody listens. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below those that the kernel gives to whoever asks for any (`ip_local_port_range`, from 32768 on), which would not stay free
 * for long beside other tests, and above those of services.
 */
const [least, most] = [10_000, 32_000];
const triesMax = 100;

/** Free on loopback at this moment. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < triesMax; i++) {
    const port = randomInt(least, most);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port is free between ${least} and ${most}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  await once(server.close(), "close");
  return true;
}
