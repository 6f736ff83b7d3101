/** Lists of protocols as TLS writes them (RFC 7301 3.1): each behind a byte of length. */
import { TlsError } from "./tls.ts";

export function encodeProtocols(names: readonly string[]): Buffer {
  const parts = names.map((name) => {
    const bytes = Buffer.from(name, "latin1");
    if (bytes.length === 0 || bytes.length > 255)
      throw new TlsError(`ALPN protocol '${name}' must have 1 to 255 bytes`);
    return Buffer.concat([Buffer.of(bytes.length), bytes]);
  });
  return Buffer.concat(parts);
}

/** The first of ours that the peer offers: where its name is in the list. A list that is cut off ends there. */
export function selectProtocol(
  ours: readonly string[],
  offered: Buffer,
): { readonly start: number; readonly length: number } | undefined {
  const places = new Map<string, { readonly start: number; readonly length: number }>();
  for (let at = 0; at < offered.length;) {
    const length = offered[at] ?? 0;
    const start = at + 1;
    at = start + length;
    if (at > offered.length) break;
    const name = offered.toString("latin1", start, at);
    if (!places.has(name)) places.set(name, { start, length });
  }
  for (const name of ours) {
    const place = places.get(name);
    if (place) return place;
  }
  return undefined;
}
