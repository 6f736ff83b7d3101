/** Which of several certificates a client's server name asks for (Envoy: `DefaultTlsCertificateSelector`). */
import type { X509Certificate } from "node:crypto";

/** The host names of a leaf, in lower case: its DNS names, or where it has no names at all its common name (RFC 6125 6.4.4). */
export function hostNamesOf(leaf: X509Certificate): readonly string[] {
  const names = (leaf.subjectAltName ?? "")
    .split(", ")
    .filter((name) => name.startsWith("DNS:"))
    .map((name) => name.slice("DNS:".length).toLowerCase());
  if (leaf.subjectAltName !== undefined) return names;
  const common = /^CN=(.*)$/m.exec(leaf.subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

/** An exact name before a wildcard, which stands for one label. */
export function findByName<T>(table: ReadonlyMap<string, T>, serverName: string): T | undefined {
  const name = serverName.toLowerCase();
  const dot = name.indexOf(".");
  return table.get(name) ?? (dot > 0 ? table.get(`*${name.slice(dot)}`) : undefined);
}
