/**
 * The name of a listener that says none. Envoy draws a random UUID at each push, so that even the same push
 * again drains it; ours is made of the bytes: what is sent again stands, and is called the same after a restart.
 */
import { hash } from "node:crypto";

/** A UUID of version 8, whose content is the maker's own (RFC 9562, section 5.8). */
export function nameOfUnnamed(bytes: Uint8Array): string {
  const digest = Buffer.from(hash("sha256", bytes, "buffer").subarray(0, 16));
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join("-");
}
