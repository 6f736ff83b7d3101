/**
 * Certificates and keys in PEM, judged as Envoy judges them when it builds a TLS context. The texts are Envoy's; the
 * cause behind them is OpenSSL's where it is not one of the two that Envoy's users know.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { messageOf } from "../../shared/common/errors.ts";
import { SecretError, type ReadSource } from "./data-source-reader.ts";
import type { CertificateFile } from "./secret-material.ts";

const block =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const noStartLine = "error:0900006e:PEM routines:OPENSSL_internal:NO_START_LINE";
const mismatch = "error:0b000074:X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH";

/** Throws a `SecretError` with the text where there is no certificate, or a broken one. */
export function readCertificates({ bytes, where }: ReadSource, refusal: string): CertificateFile {
  const blocks = bytes.toString("latin1").match(block) ?? [];
  if (blocks.length === 0) throw new SecretError(refusal);
  try {
    return { where, pem: bytes, certificates: blocks.map((one) => new X509Certificate(one)) };
  } catch (error) {
    throw new SecretError(refusal, { cause: error });
  }
}

const rsaBitsMin = 2_048;
const ecCurves = ["prime256v1", "secp384r1", "secp521r1"];

/** Throws a `SecretError` for a key that is too weak, or of a curve that TLS has not. */
export function judgeLeafKey({ certificates: [leaf] }: CertificateFile, refusal: string): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = leaf?.publicKey ?? {};
  if (type === "rsa" && (details.modulusLength ?? 0) < rsaBitsMin)
    throw new SecretError(
      `${refusal}, only RSA certificates with ${rsaBitsMin}-bit or larger keys are supported`,
    );
  if (type === "ec" && !ecCurves.includes(details.namedCurve ?? ""))
    throw new SecretError(
      `${refusal}, only P-256, P-384 or P-521 ECDSA certificates are supported`,
    );
}

/** Throws a `SecretError` unless it is a private key that belongs to the certificate. */
export function judgePrivateKey(
  key: ReadSource,
  passphrase: string | undefined,
  leaf: X509Certificate | undefined,
): void {
  const refuse = (cause: string): never => {
    throw new SecretError(`Failed to load private key from ${key.where}, Cause: ${cause}`);
  };
  if (!key.bytes.includes("-----BEGIN ")) refuse(noStartLine);
  let parsed: KeyObject;
  try {
    parsed = createPrivateKey({
      key: key.bytes,
      format: "pem",
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  } catch (error) {
    return refuse(messageOf(error));
  }
  if (leaf && !leaf.checkPrivateKey(parsed)) refuse(mismatch);
}
