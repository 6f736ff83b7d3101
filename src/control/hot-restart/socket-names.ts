/**
 * Where the generations of one base id find each other (Envoy: `HotRestartingBase`). A parent answers to the name of the
 * epoch after its own, never to whoever asked.
 */
import type { SocketAddress } from "../../shared/common/address.ts";

export interface HotRestartNames {
  /** `--socket-path`: `@envoy_domain_socket` by default, a file's beginning where it has no `@`. */
  readonly socketPath: string;
  readonly baseId: number;
}

/** Names are used again after as many epochs: that many generations can live. */
export const generationsMax = 3;

/** `sluice` is ours alone (`moves/sibling-stream.ts`). */
export type HotRestartRole = "parent" | "child" | "sluice";

export function socketName(names: HotRestartNames, role: HotRestartRole, epoch: number): string {
  return `${names.socketPath}_${role}_${names.baseId * 10 + (epoch % generationsMax)}`;
}

/** `tcp://127.0.0.1:80` as the wire has it. */
export function addressText(address: SocketAddress): string {
  if (address.kind === "pipe") return `unix://${address.path}`;
  const host = address.ip.includes(":") ? `[${address.ip}]` : address.ip;
  return `tcp://${host}:${address.port}`;
}

/** Undefined where we have no such listener: UDP, a host name, garbage. */
export function readAddress(text: string): SocketAddress | undefined {
  const path = /^unix:\/\/(?<path>.+)$/s.exec(text)?.groups?.["path"];
  if (path !== undefined) return { kind: "pipe", path, mode: 0 };
  const parts = /^tcp:\/\/(?:\[(?<v6>[\da-fA-F:.]+)\]|(?<v4>[\d.]+)):(?<port>\d{1,5})$/.exec(
    text,
  )?.groups;
  const ip = parts?.["v6"] ?? parts?.["v4"];
  return ip === undefined ? undefined : { kind: "ip", ip, port: Number(parts?.["port"]) };
}
