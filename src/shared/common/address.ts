/**
 * Where a socket is (Envoy: `Network::Address`). `ip` is canonical text without brackets; a Unix
 * path that begins with `@` is in the abstract namespace.
 */
export type SocketAddress =
  | { readonly kind: "ip"; readonly ip: string; readonly port: number }
  | { readonly kind: "pipe"; readonly path: string; readonly mode: number };

/** Of a socket that has no address: it is closed, or never came to one. */
export const unnamed: SocketAddress = { kind: "pipe", path: "", mode: 0 };

/** As Envoy prints it: `127.0.0.1:80`, `[::1]:80`, a path. */
export function formatAddress(address: SocketAddress): string {
  if (address.kind === "pipe") return address.path;
  return address.ip.includes(":")
    ? `[${address.ip}]:${address.port}`
    : `${address.ip}:${address.port}`;
}
