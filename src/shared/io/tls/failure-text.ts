/**
 * Why a handshake failed, as Envoy writes it in logs: `TLS_error:|NUMBER:SSL routines:OPENSSL_internal:NAME:TLS_error_end`.
 *
 * Envoy's library is BoringSSL, whose numbers and names those are: the ones that peers come to are in the table. Whatever
 * else OpenSSL says goes under OpenSSL's own name.
 */

/** `ERR_PACK(ERR_LIB_SSL, 0)` of BoringSSL. */
const sslLibrary = 16 * 2 ** 24;

/** By the low bits of OpenSSL's error (`SSL_R_…`): BoringSSL's number and name. */
const reasons: ReadonlyMap<number, readonly [number, string]> = new Map([
  [134, [125, "CERTIFICATE_VERIFY_FAILED"]],
  [156, [156, "HTTP_REQUEST"]],
  [193, [184, "NO_SHARED_CIPHER"]],
  [199, [192, "PEER_DID_NOT_RETURN_A_CERTIFICATE"]],
  [258, [240, "UNSUPPORTED_PROTOCOL"]],
  [267, [247, "WRONG_VERSION_NUMBER"]],
  [118, [253, "NO_COMMON_SIGNATURE_ALGORITHMS"]],
  [376, [253, "NO_COMMON_SIGNATURE_ALGORITHMS"]],
  [339, [182, "NO_RENEGOTIATION"]],
  // Alerts of the peer: 1000 and the alert's number, in both.
  [1010, [1010, "SSLV3_ALERT_UNEXPECTED_MESSAGE"]],
  [1040, [1040, "SSLV3_ALERT_HANDSHAKE_FAILURE"]],
  [1042, [1042, "SSLV3_ALERT_BAD_CERTIFICATE"]],
  [1045, [1045, "SSLV3_ALERT_CERTIFICATE_EXPIRED"]],
  [1046, [1046, "SSLV3_ALERT_CERTIFICATE_UNKNOWN"]],
  [1048, [1048, "TLSV1_ALERT_UNKNOWN_CA"]],
  [1070, [1070, "TLSV1_ALERT_PROTOCOL_VERSION"]],
  [1116, [1116, "TLSV1_CERTIFICATE_REQUIRED"]],
]);

/** `SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE`. */
export const noPeerCertificate = 199;

/** `text`: what OpenSSL says of the error, for one that is not in the table. */
export function failureText(reason: number, text: string): string {
  if (reason === noPeerCertificate) return missingCertificateText();
  const [number, name] = reasons.get(reason) ?? [reason, text.toUpperCase().replaceAll(" ", "_")];
  return wrapped(number, name);
}

export function missingCertificateText(): string {
  const details = ":peer did not provide required client certificate";
  return wrapped(192, `PEER_DID_NOT_RETURN_A_CERTIFICATE${details}`);
}

export function keyUsageText(): string {
  return wrapped(302, "KEY_USAGE_BIT_INCORRECT");
}

/** `details`: Envoy's, from "verify cert failed: " on. */
export function refusalText(details: string): string {
  return wrapped(125, `CERTIFICATE_VERIFY_FAILED:${details}`);
}

export function chainText(error: string, depth: number): string {
  const where = `certificate verification error at depth ${depth}`;
  return refusalText(`verify cert failed: X509_verify_cert: ${where}: ${error}`);
}

function wrapped(number: number, name: string): string {
  return `TLS_error:|${sslLibrary + number}:SSL routines:OPENSSL_internal:${name}:TLS_error_end`;
}
