/** `/certs`: the certificates of every TLS context that is in use, each with its CAs (Envoy: `envoy.admin.v3.Certificates`). */
import type { ShownCertificate } from "../tls/shown-certificates.ts";
import { readSubjectAltNames, type SubjectAltName } from "../../shared/tls/subject-alt-names.ts";
import type { Json } from "./dump-values.ts";
import { type AdminEndpoint, jsonResponse } from "./endpoint.ts";

const dayMs = 86_400_000;

/** In Envoy's order; names of other kinds are left out, as there. */
const sanFields: readonly (readonly [SubjectAltName["type"], string])[] = [
  ["dns", "dns"],
  ["uri", "uri"],
  ["ipAddress", "ip_address"],
];

export interface CertsSource {
  /** By context. */
  readonly certificates: () => readonly (readonly ShownCertificate[])[];
  /** Milliseconds since 1970. */
  readonly wallTime: () => number;
}

export function certsEndpoint({ certificates, wallTime }: CertsSource): AdminEndpoint {
  return {
    path: "/certs",
    isMutation: false,
    help: "print certs on machine",
    handle() {
      const nowMs = wallTime();
      const shown = certificates().map((context) => ({
        ca_cert: ofRole(context, "ca", nowMs),
        cert_chain: ofRole(context, "own", nowMs),
      }));
      return jsonResponse({ certificates: shown });
    },
  };
}

function ofRole(
  context: readonly ShownCertificate[],
  role: ShownCertificate["role"],
  nowMs: number,
): readonly Json[] {
  return context.filter((one) => one.role === role).map((one) => certificateJson(one, nowMs));
}

function certificateJson({ path, certificate }: ShownCertificate, nowMs: number): Json {
  const names = readSubjectAltNames(certificate.subjectAltName);
  return {
    path,
    serial_number: certificate.serialNumber.toLowerCase(),
    subject_alt_names: sanFields.flatMap(([type, field]) =>
      names.filter((name) => name.type === type).map(({ value }) => ({ [field]: value })),
    ),
    days_until_expiration: String(daysUntil(certificate.validToDate, nowMs)),
    valid_from: timestamp(certificate.validFromDate),
    expiration_time: timestamp(certificate.validToDate),
  };
}

/** 0 for one that has expired. */
export function daysUntil(date: Date, nowMs: number): number {
  return Math.max(0, Math.floor((date.getTime() - nowMs) / dayMs));
}

/** Certificates know seconds alone. */
function timestamp(date: Date): string {
  return date.toISOString().replace(".000Z", "Z");
}
