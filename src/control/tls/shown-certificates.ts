/** The certificates of a context as they are shown: by the admin, and by the gauges of when they expire. */
import type { X509Certificate } from "node:crypto";
import type { TlsSecret } from "../config/tls-config.ts";
import type { CertificateFile } from "../secret/secret-material.ts";
import type { ContextOrder } from "./context-order.ts";
import type { ContextMaterial } from "./engine-config.ts";

export interface ShownCertificate {
  readonly role: "ca" | "own";
  /** Of the gauge: the secret's; one that has none is called as by Envoy. */
  readonly name: string;
  /** The path, or `<inline>`. */
  readonly path: string;
  readonly certificate: X509Certificate;
}

/** Envoy hashes the name that they have not. */
const unnamed = { own: "unnamed_cert_e3b0c442", ca: "unnamed_ca_cert_e3b0c442" } as const;

/** The first of each file: the leaf of a chain, and of a bundle of CAs the one on top. */
export function shownCertificates(
  { certificates: secrets, validation }: ContextOrder,
  { certificates, validation: rules }: ContextMaterial,
): readonly ShownCertificate[] {
  const authorities = typeof rules?.authorities === "object" ? [rules.authorities] : [];
  const domains = rules?.trustDomains?.map((domain) => domain.authorities) ?? [];
  return [
    ...certificates.flatMap(({ chain }, index) => shown("own", secrets[index], chain)),
    ...[...authorities, ...domains].flatMap((file) => shown("ca", validation?.secret, file)),
  ];
}

function shown(
  role: ShownCertificate["role"],
  secret: TlsSecret | undefined,
  { where: path, certificates: [certificate] }: CertificateFile,
): readonly ShownCertificate[] {
  const name = secret?.kind === "named" ? secret.reference.name : unnamed[role];
  return certificate ? [{ role, name, path, certificate }] : [];
}
