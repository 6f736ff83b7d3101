/**
 * SSL_CTX of one configuration. With several certificates it is several: OpenSSL keeps one certificate of each kind of
 * key in a context and chooses among those itself; the server name chooses the context.
 */
import type { TlsKeyLogConfig, TlsIdentity, TlsParameterConfig } from "../../config/tls-config.ts";
import { NativeObject } from "./native-object.ts";
import {
  ctxAddClientAuthority,
  ctxCheckPrivateKey,
  ctxCtrl,
  ctxCtrlText,
  ctxFree,
  ctxGetStore,
  ctxNew,
  ctxOnKeyLog,
  ctxOnVerify,
  ctxSetCipherList,
  ctxSetOptions,
  ctxSetVerify,
  ctxSetVerifyDepth,
  ctxUseCertificate,
  ctxUsePrivateKey,
  errClear,
  ssl,
  storeAddCertificate,
  storeAddCrl,
  storeSetFlags,
  takeError,
  versionNumbers,
} from "./openssl.ts";
import { certificateOf, eachCertificate, eachCrl, withPrivateKey } from "./pem.ts";
import type { PeerValidation } from "../../config/tls-config.ts";
import type { SslCallbacks } from "./ssl-callbacks.ts";
import { TlsError } from "./tls.ts";
import type { X509Certificate } from "node:crypto";

/** Records are read as a whole, what cannot be written may move, and an idle connection holds no buffers. */
const modes = ssl.MODE_PARTIAL_WRITE | ssl.MODE_MOVING_WRITE_BUFFER | ssl.MODE_RELEASE_BUFFERS;
/** A peer's FIN without close_notify is the end of its bytes, as in Envoy: what must not be cut says its length. */
const options = ssl.OP_IGNORE_UNEXPECTED_EOF | ssl.OP_NO_COMPRESSION;

export interface ContextBasis {
  readonly method: number;
  readonly parameters: TlsParameterConfig;
  readonly keyLog: TlsKeyLogConfig | undefined;
  readonly options: number;
}

/** Throws a TlsError in Envoy's words. */
export function newContext(basis: ContextBasis, callbacks: SslCallbacks): NativeObject {
  errClear();
  const context = new NativeObject(ctxNew(basis.method), ctxFree);
  try {
    const { pointer } = context;
    ctxCtrl(pointer, ssl.CTRL_SET_MODE, modes, 0);
    ctxCtrl(pointer, ssl.CTRL_SET_READ_AHEAD, 1, 0);
    ctxSetOptions(pointer, options + basis.options);
    setParameters(pointer, basis.parameters);
    if (basis.keyLog) ctxOnKeyLog(pointer, callbacks.keyLog);
    return context;
  } catch (error) {
    context.free();
    throw error;
  }
}

function setParameters(context: number, parameters: TlsParameterConfig): void {
  const { minVersion, maxVersion, cipherSuites, ecdhCurves, signatureAlgorithms } = parameters;
  ctxCtrl(context, ssl.CTRL_SET_MIN_VERSION, versionNumbers[minVersion], 0);
  ctxCtrl(context, ssl.CTRL_SET_MAX_VERSION, versionNumbers[maxVersion], 0);
  errClear();
  if (cipherSuites !== "" && ctxSetCipherList(context, cipherSuites) !== 1)
    throw new TlsError(`Failed to initialize cipher suites ${cipherSuites}: ${takeError()}`);
  if (ecdhCurves !== "" && ctxCtrlText(context, ssl.CTRL_SET_GROUPS, 0, ecdhCurves) !== 1)
    throw new TlsError(`Failed to initialize ECDH curves ${ecdhCurves}: ${takeError()}`);
  if (
    signatureAlgorithms !== "" &&
    ctxCtrlText(context, ssl.CTRL_SET_SIGALGS, 0, signatureAlgorithms) !== 1
  )
    throw new TlsError(
      `Failed to initialize TLS signature algorithms ${signatureAlgorithms}: ${takeError()}`,
    );
}

/** What was put into a context: the leaf, and where OpenSSL has it. */
export interface UsedIdentity {
  readonly leaf: X509Certificate;
  readonly staple: Uint8Array | undefined;
}

/** Of each kind of key one; a second one of a kind takes the place of the first. */
export function useIdentity(context: number, identity: TlsIdentity): UsedIdentity {
  let leaf: X509Certificate | undefined;
  eachCertificate(identity.chainPem, "certificate chain", (x509) => {
    errClear();
    const isUsed = leaf
      ? ctxCtrl(context, ssl.CTRL_CHAIN_CERTIFICATE, 1, x509)
      : ctxUseCertificate(context, x509);
    if (isUsed !== 1) throw new TlsError(`Failed to load certificate chain: ${takeError()}`);
    leaf ??= certificateOf(x509);
  });
  withPrivateKey(identity.keyPem, identity.passphrase, (key) => {
    errClear();
    if (ctxUsePrivateKey(context, key) !== 1)
      throw new TlsError(`Failed to load private key: ${takeError()}`);
    // One of another kind is taken, and then has no certificate.
    if (ctxCheckPrivateKey(context) !== 1)
      throw new TlsError(`Failed to load private key: it is not the certificate's: ${takeError()}`);
  });
  if (!leaf) throw new TlsError("Failed to load certificate chain: no certificate in it");
  return { leaf, staple: identity.ocspStaple };
}

/** `asks`: the authorities are named to clients. */
export function useValidation(
  context: number,
  validation: PeerValidation,
  how: { readonly mode: number; readonly asks: boolean; readonly callbacks: SslCallbacks },
): void {
  const store = ctxGetStore(context);
  if (validation.authoritiesPem)
    eachCertificate(validation.authoritiesPem, "trusted CA certificates", (x509) => {
      storeAddCertificate(store, x509);
      if (how.asks) ctxAddClientAuthority(context, x509);
    });
  // A CA in the middle of a chain may be the one that is trusted (Envoy does so).
  let flags: number = ssl.X509_V_FLAG_PARTIAL_CHAIN;
  if (validation.crlPem) {
    eachCrl(validation.crlPem, (crl) => void storeAddCrl(store, crl));
    flags |= ssl.X509_V_FLAG_CRL_CHECK;
    if (!validation.onlyVerifiesLeafCrl) flags |= ssl.X509_V_FLAG_CRL_CHECK_ALL;
  }
  if (validation.allowsExpired) flags |= ssl.X509_V_FLAG_NO_CHECK_TIME;
  storeSetFlags(store, flags);
  // OpenSSL counts neither the leaf nor the root, Envoy's field counts the root.
  if (validation.maxDepth !== undefined)
    ctxSetVerifyDepth(context, Math.max(0, validation.maxDepth - 1));
  ctxSetVerify(context, how.mode, 0);
  ctxOnVerify(context, how.callbacks.verify);
  errClear();
}
