/** The secrets of connections in a file, one line each, for whoever has to look into a recording of theirs. */
import { createWriteStream, type WriteStream } from "node:fs";
import { BlockList } from "node:net";
import type { SocketAddress } from "../../common/address.ts";
import type { TlsKeyLogConfig } from "../../config/tls-config.ts";

/** Most bytes that wait for the file; more lines are left out. */
const waitingBytesMax = 1024 * 1024;

export class KeyLog implements Disposable {
  readonly #file: WriteStream;
  readonly #local: BlockList | undefined;
  readonly #remote: BlockList | undefined;

  constructor({ path, localRanges, remoteRanges }: TlsKeyLogConfig) {
    this.#file = createWriteStream(path, { flags: "a", mode: 0o600 });
    // Without it the connection goes on all the same.
    this.#file.on("error", () => {});
    this.#local = listOf(localRanges);
    this.#remote = listOf(remoteRanges);
  }

  write(line: string, local: SocketAddress, remote: SocketAddress): void {
    if (!isIn(this.#local, local) || !isIn(this.#remote, remote)) return;
    if (this.#file.writableLength < waitingBytesMax) this.#file.write(`${line}\n`);
  }

  [Symbol.dispose](): void {
    this.#file.end();
  }
}

function listOf(ranges: TlsKeyLogConfig["localRanges"]): BlockList | undefined {
  if (ranges.length === 0) return undefined;
  const list = new BlockList();
  for (const { ip, prefixLength } of ranges) list.addSubnet(ip, prefixLength, familyOf(ip));
  return list;
}

function isIn(list: BlockList | undefined, address: SocketAddress): boolean {
  if (!list) return true;
  return address.kind === "ip" && list.check(address.ip, familyOf(address.ip));
}

function familyOf(ip: string): "ipv4" | "ipv6" {
  return ip.includes(":") ? "ipv6" : "ipv4";
}
