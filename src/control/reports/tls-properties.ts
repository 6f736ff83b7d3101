/** What entries say of the client's TLS: `envoy.data.accesslog.v3.TLSProperties`. */
import type { LoggedCertificate, LoggedTls } from "../../shared/protocol/access-log-entry.ts";
import { type Writer, writeEnum, writeMessage, writeText } from "./field-writer.ts";

/** Numbers of the fields. */
const properties = {
  version: 1,
  cipherSuite: 2,
  serverName: 3,
  localCertificate: 4,
  peerCertificate: 5,
  sessionId: 6,
  ja3: 7,
} as const;
const certificateFields = { subjectAltName: 1, subject: 2, issuer: 3 } as const;
const uriSan = 1;

/** By the names of `TLSVersion`. */
const versions: Readonly<Record<LoggedTls["version"], number>> = {
  TLSv1: 1,
  "TLSv1.1": 2,
  "TLSv1.2": 3,
  "TLSv1.3": 4,
};

export function writeTls(writer: Writer, field: number, tls: LoggedTls): void {
  writeMessage(writer, field, (inner) => {
    writeEnum(inner, properties.version, versions[tls.version]);
    if (tls.cipherId !== 0)
      writeMessage(inner, properties.cipherSuite, (value) => value.writeUint32(1, tls.cipherId));
    writeText(inner, properties.serverName, tls.serverName);
    writeCertificate(inner, properties.localCertificate, tls.own);
    writeCertificate(inner, properties.peerCertificate, tls.peer);
    writeText(inner, properties.sessionId, tls.sessionId);
    writeText(inner, properties.ja3, tls.ja3);
  });
}

function writeCertificate(writer: Writer, field: number, certificate: LoggedCertificate): void {
  writeMessage(writer, field, (inner) => {
    for (const uri of certificate.uris)
      writeMessage(inner, certificateFields.subjectAltName, (san) => san.writeString(uriSan, uri));
    writeText(inner, certificateFields.subject, certificate.subject);
    writeText(inner, certificateFields.issuer, certificate.issuer);
  });
}
