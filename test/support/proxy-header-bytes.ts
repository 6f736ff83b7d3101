/** Headers of the PROXY protocol's version 2, good ones and, field by field, bad ones. */
import assert from "node:assert/strict";
import { parseIp } from "../../src/shared/common/ip-address.ts";

export interface HeaderParts {
  readonly source: string;
  readonly destination: string;
  readonly ports?: readonly [number, number];
  readonly version?: number;
  readonly command?: number;
  readonly family?: number;
  readonly transport?: number;
  /** In place of the right one. */
  readonly length?: number;
  readonly tlvs?: Buffer;
}

export function version2(parts: HeaderParts): Buffer {
  const { version = 2, command = 1, transport = 1, ports = [1, 2], tlvs } = parts;
  const [source, destination] = [parseIp(parts.source), parseIp(parts.destination)];
  assert(source && destination, "addresses of a header");
  const family = parts.family ?? (source.length === 4 ? 1 : 2);
  const portBytes = Buffer.alloc(4);
  portBytes.writeUInt16BE(ports[0], 0);
  portBytes.writeUInt16BE(ports[1], 2);
  const rest = Buffer.concat([source, destination, portBytes, tlvs ?? Buffer.alloc(0)]);
  const head = Buffer.from("\r\n\r\n\0\r\nQUIT\n0000", "latin1");
  head[12] = (version << 4) | command;
  head[13] = (family << 4) | transport;
  head.writeUInt16BE(parts.length ?? rest.length, 14);
  return Buffer.concat([head, rest]);
}
