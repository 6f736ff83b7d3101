/** `%DOWNSTREAM_TLS_…%`, `%DOWNSTREAM_PEER_…%` and their kin, of either side (docs: configuration/observability/access_log/usage). */
import type { X509Certificate } from "node:crypto";
import type { TlsOperator } from "../../../shared/config/access-log-operators.ts";
import type { TlsSession } from "../../../shared/io/tls/tls.ts";
import {
  encodedPem,
  fingerprint1,
  fingerprint256,
  nameText,
  sansOf,
  serialOf,
} from "../../network/certificate-texts.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import { formatTime } from "./start-time.ts";

type Read = (info: StreamInfo) => string | undefined;
type ReadMaker = (args: readonly string[]) => Read;
type SessionOf = (info: StreamInfo) => TlsSession | undefined;
type CertificateOf = (info: StreamInfo) => X509Certificate | undefined;

const downstream: SessionOf = (info) => info.downstreamTls;
const upstream: SessionOf = (info) => info.upstreamTls;
const peerOf =
  (session: SessionOf): CertificateOf =>
  (info) =>
    session(info)?.peerChain?.[0];
const ownOf =
  (session: SessionOf): CertificateOf =>
  (info) =>
    session(info)?.ownCertificate;

const plain =
  (read: Read): ReadMaker =>
  () =>
    read;

/** Nothing is printed as nothing. */
const ofSession = (session: SessionOf, read: (tls: TlsSession) => string): ReadMaker =>
  plain((info) => {
    const tls = session(info);
    return tls && (read(tls) || undefined);
  });

const ofCertificate = (
  certificate: CertificateOf,
  read: (one: X509Certificate) => string,
): ReadMaker =>
  plain((info) => {
    const one = certificate(info);
    return one && (read(one) || undefined);
  });

const ofChain = (read: (one: X509Certificate) => string): ReadMaker =>
  plain((info) => info.downstreamTls?.peerChain?.map(read).join(","));

const sans =
  (type: Parameters<typeof sansOf>[1]) =>
  (certificate: X509Certificate): string =>
    sansOf(certificate, type).join(",");

const instant =
  (certificate: CertificateOf, read: (one: X509Certificate) => Date): ReadMaker =>
  ([format = ""]) =>
  (info) => {
    const one = certificate(info);
    return one && formatTime(read(one).getTime(), format);
  };

const nothing: ReadMaker = plain(() => undefined);
const client = peerOf(downstream);
const server = ownOf(downstream);
const host = peerOf(upstream);
const ourselves = ownOf(upstream);
const subject = (one: X509Certificate): string => nameText(one.subject);
const issuer = (one: X509Certificate): string => nameText(one.issuer);
const notBefore = (one: X509Certificate): Date => one.validFromDate;
const notAfter = (one: X509Certificate): Date => one.validToDate;

export const tlsOperatorMakers: Readonly<Record<TlsOperator, ReadMaker>> = {
  DOWNSTREAM_LOCAL_DNS_SAN: ofCertificate(server, sans("dns")),
  DOWNSTREAM_LOCAL_EMAIL_SAN: ofCertificate(server, sans("email")),
  DOWNSTREAM_LOCAL_IP_SAN: ofCertificate(server, sans("ipAddress")),
  DOWNSTREAM_LOCAL_OTHERNAME_SAN: nothing,
  DOWNSTREAM_LOCAL_SUBJECT: ofCertificate(server, subject),
  DOWNSTREAM_LOCAL_URI_SAN: ofCertificate(server, sans("uri")),
  DOWNSTREAM_PEER_CERT: ofCertificate(client, encodedPem),
  DOWNSTREAM_PEER_CERT_V_END: instant(client, notAfter),
  DOWNSTREAM_PEER_CERT_V_START: instant(client, notBefore),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1: ofChain(fingerprint1),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256: ofChain(fingerprint256),
  DOWNSTREAM_PEER_CHAIN_SERIALS: ofChain(serialOf),
  DOWNSTREAM_PEER_DNS_SAN: ofCertificate(client, sans("dns")),
  DOWNSTREAM_PEER_EMAIL_SAN: ofCertificate(client, sans("email")),
  DOWNSTREAM_PEER_FINGERPRINT_1: ofCertificate(client, fingerprint1),
  DOWNSTREAM_PEER_FINGERPRINT_256: ofCertificate(client, fingerprint256),
  DOWNSTREAM_PEER_IP_SAN: ofCertificate(client, sans("ipAddress")),
  DOWNSTREAM_PEER_ISSUER: ofCertificate(client, issuer),
  DOWNSTREAM_PEER_OTHERNAME_SAN: nothing,
  DOWNSTREAM_PEER_SERIAL: ofCertificate(client, serialOf),
  DOWNSTREAM_PEER_SUBJECT: ofCertificate(client, subject),
  DOWNSTREAM_PEER_URI_SAN: ofCertificate(client, sans("uri")),
  DOWNSTREAM_TLS_CIPHER: ofSession(downstream, ({ cipher }) => cipher),
  DOWNSTREAM_TLS_SESSION_ID: ofSession(downstream, ({ sessionId }) => sessionId),
  DOWNSTREAM_TLS_VERSION: ofSession(downstream, ({ version }) => version),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: plain((info) => info.downstreamTransportFailureReason),
  // Envoy has it of its TLS inspector alone; here the session knows it too.
  REQUESTED_SERVER_NAME: plain(
    ({ clientHello, downstreamTls }) =>
      clientHello.serverName || downstreamTls?.serverName || undefined,
  ),
  TLS_JA3_FINGERPRINT: plain(({ clientHello }) => clientHello.ja3),
  TLS_JA4_FINGERPRINT: plain(({ clientHello }) => clientHello.ja4),
  UPSTREAM_LOCAL_DNS_SAN: ofCertificate(ourselves, sans("dns")),
  UPSTREAM_LOCAL_IP_SAN: ofCertificate(ourselves, sans("ipAddress")),
  UPSTREAM_LOCAL_SUBJECT: ofCertificate(ourselves, subject),
  UPSTREAM_LOCAL_URI_SAN: ofCertificate(ourselves, sans("uri")),
  UPSTREAM_PEER_CERT: ofCertificate(host, encodedPem),
  UPSTREAM_PEER_CERT_V_END: instant(host, notAfter),
  UPSTREAM_PEER_CERT_V_START: instant(host, notBefore),
  UPSTREAM_PEER_DNS_SAN: ofCertificate(host, sans("dns")),
  UPSTREAM_PEER_IP_SAN: ofCertificate(host, sans("ipAddress")),
  UPSTREAM_PEER_ISSUER: ofCertificate(host, issuer),
  UPSTREAM_PEER_SUBJECT: ofCertificate(host, subject),
  UPSTREAM_PEER_URI_SAN: ofCertificate(host, sans("uri")),
  UPSTREAM_TLS_CIPHER: ofSession(upstream, ({ cipher }) => cipher),
  UPSTREAM_TLS_SESSION_ID: ofSession(upstream, ({ sessionId }) => sessionId),
  UPSTREAM_TLS_VERSION: ofSession(upstream, ({ version }) => version),
};
