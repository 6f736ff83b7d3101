/**
 * A bootstrap of many listeners, each of which answers by itself. They differ by address, not by port (127.0.0.0/8 is all
 * loopback), so that none is taken by another program.
 */
import { answersWith, httpListener } from "../../test/support/truth-resources.ts";

export function manyListeners(count: number, port: number, adminPort: number): object {
  const routing = { route_config: answersWith(".") };
  const listener = (i: number): object => ({
    ...httpListener("web", routing, { name: `l${i}`, address: address(hostOf(i), port) }),
  });
  return {
    admin: { address: address("127.0.0.1", adminPort) },
    static_resources: { listeners: Array.from({ length: count }, (_, i) => listener(i)) },
  };
}

/** Throws unless a hundred of them, from the first to the last, answer. */
export async function assertAnswering(count: number, port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const host = hostOf(Math.floor((i * count) / 100));
    const response = await fetch(`http://${host}:${port}/`);
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`${host} answers ${response.status}`);
  }
}

function hostOf(i: number): string {
  return `127.77.${i >> 8}.${i & 255}`;
}

function address(host: string, port: number): object {
  return { socket_address: { address: host, port_value: port } };
}
