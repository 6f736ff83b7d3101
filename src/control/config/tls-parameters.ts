/**
 * `TlsParameters`. Envoy's are BoringSSL's: a group in brackets is one of equal preference, which OpenSSL does not have,
 * so its members keep their order.
 */
import { createSecureContext, getCiphers, type SecureContextOptions } from "node:tls";
import type { TlsParameters } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/common_pb.d.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { TlsParameterConfig, TlsVersion } from "../../shared/config/tls-config.ts";

/** By the numbers of `TlsParameters.TlsProtocol`; 0 is for us to choose. */
const versions: readonly (TlsVersion | undefined)[] = [
  undefined,
  "TLSv1",
  "TLSv1.1",
  "TLSv1.2",
  "TLSv1.3",
];
/** Docs: `TlsParameters`: what is spoken where nothing is said. */
export interface TlsVersionDefaults {
  readonly least: TlsVersion;
  readonly most: TlsVersion;
}

export const clientTlsVersions: TlsVersionDefaults = { least: "TLSv1.2", most: "TLSv1.2" };
export const serverTlsVersions: TlsVersionDefaults = { least: "TLSv1.2", most: "TLSv1.3" };

/** Docs: `TlsParameters.cipher_suites`. */
const cipherSuitesDefault = [
  "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
  "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
];

/** Of no message: what a client of Envoy's speaks unless it is told otherwise. */
export const tlsParameterDefaults: TlsParameterConfig = {
  minVersion: clientTlsVersions.least,
  maxVersion: clientTlsVersions.most,
  cipherSuites: suitesOf(cipherSuitesDefault).join(":"),
  ecdhCurves: "",
  signatureAlgorithms: "",
};

export function decodeTlsParameters(
  message: TlsParameters | undefined,
  defaults: TlsVersionDefaults,
  context: DecodeContext,
): TlsParameterConfig {
  if (!message)
    return { ...tlsParameterDefaults, minVersion: defaults.least, maxVersion: defaults.most };
  const { tlsMinimumProtocolVersion: least, tlsMaximumProtocolVersion: most } = message;
  const minVersion = versions[least] ?? defaults.least;
  // A least version above the default would leave none: Envoy takes that, and then never connects.
  const maxVersion = versions[most] ?? (minVersion > defaults.most ? minVersion : defaults.most);
  if (minVersion > maxVersion)
    context.refuse("tls_minimum_protocol_version is above tls_maximum_protocol_version");
  const ecdhCurves = message.ecdhCurves.join(":");
  const signatureAlgorithms = message.signatureAlgorithms.join(":");
  if (!isTaken({ ecdhCurve: ecdhCurves || "auto" }))
    context.refuse(`Failed to initialize ECDH curves ${ecdhCurves}`);
  if (signatureAlgorithms !== "" && !isTaken({ sigalgs: signatureAlgorithms }))
    context.refuse(`Failed to initialize TLS signature algorithms ${signatureAlgorithms}`);
  return {
    minVersion,
    maxVersion,
    cipherSuites: decodeSuites(message.cipherSuites, context) + weaknessFor(minVersion),
    ecdhCurves,
    signatureAlgorithms,
  };
}

/** TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL does at its lowest level alone (SSL_CTX_set_security_level(3)). */
function weaknessFor(least: TlsVersion): string {
  return least < "TLSv1.2" ? ":@SECLEVEL=0" : "";
}

/** Only OpenSSL knows what it knows. */
function isTaken(options: SecureContextOptions): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch {
    return false;
  }
}

/** OpenSSL passes over what it does not know, and the rest would be weaker or stronger than was asked for. */
function decodeSuites(names: readonly string[], context: DecodeContext): string {
  if (names.length === 0) return tlsParameterDefaults.cipherSuites;
  const suites = suitesOf(names);
  const known = new Set(getCiphers());
  const unknown = suites.filter((suite) => !known.has(suite.toLowerCase()));
  if (unknown.length > 0)
    context.refuse(
      `Failed to initialize cipher suites ${names.join(":")}. The following ciphers were rejected when tried individually: ${unknown.join(", ")}`,
    );
  return suites.join(":");
}

function suitesOf(names: readonly string[]): readonly string[] {
  return names.flatMap((name) => name.replace(/^\[|\]$/g, "").split(/[|:]/));
}
