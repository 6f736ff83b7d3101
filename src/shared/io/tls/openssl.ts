/**
 * OpenSSL 3 as the node binary exports it, declared once: only `shared/io/tls` may import this. A pointer is a plain
 * number, as in `syscalls.ts`; 0 is NULL. Macros of OpenSSL's headers are calls of `…_ctrl` with a number.
 *
 * What a newcomer would get wrong: errors wait in a queue of the thread. It is emptied before each call whose failure
 * is looked into (`errClear`), or an old error is taken for a new one.
 */
/* oxlint-disable max-params -- OpenSSL decided how many there are */
import koffi from "koffi";

const openssl = koffi.load(null);
const int = "int";
/** Pointers, longs and sizes. */
const long = "int64_t";
const none = "void";
const bytes = "const uint8_t *";

type Pointer = number;

const call = <F>(name: string, result: string, parameters: readonly string[]): F =>
  openssl.func(name, result, [...parameters]) as F;

// Contexts.
export const serverMethod = call<() => Pointer>("TLS_server_method", long, []);
export const clientMethod = call<() => Pointer>("TLS_client_method", long, []);
export const ctxNew = call<(method: Pointer) => Pointer>("SSL_CTX_new", long, [long]);
export const ctxFree = call<(ctx: Pointer) => void>("SSL_CTX_free", none, [long]);
export const ctxCtrl = call<
  (ctx: Pointer, command: number, number: number, pointer: Pointer) => number
>("SSL_CTX_ctrl", long, [long, int, long, long]);
/** The same, with bytes that are copied during the call. */
export const ctxCtrlBytes = call<
  (ctx: Pointer, command: number, number: number, value: Uint8Array) => number
>("SSL_CTX_ctrl", long, [long, int, long, bytes]);
export const ctxCtrlText = call<
  (ctx: Pointer, command: number, number: number, text: string) => number
>("SSL_CTX_ctrl", long, [long, int, long, "str"]);
export const ctxSetOptions = call<(ctx: Pointer, options: number) => number>(
  "SSL_CTX_set_options",
  long,
  [long, long],
);
export const ctxUseCertificate = call<(ctx: Pointer, x509: Pointer) => number>(
  "SSL_CTX_use_certificate",
  int,
  [long, long],
);
export const ctxUsePrivateKey = call<(ctx: Pointer, key: Pointer) => number>(
  "SSL_CTX_use_PrivateKey",
  int,
  [long, long],
);
export const ctxCheckPrivateKey = call<(ctx: Pointer) => number>("SSL_CTX_check_private_key", int, [
  long,
]);
export const ctxSetCipherList = call<(ctx: Pointer, list: string) => number>(
  "SSL_CTX_set_cipher_list",
  int,
  [long, "str"],
);
export const ctxSetVerify = call<(ctx: Pointer, mode: number, callback: Pointer) => void>(
  "SSL_CTX_set_verify",
  none,
  [long, int, long],
);
export const ctxSetVerifyDepth = call<(ctx: Pointer, depth: number) => void>(
  "SSL_CTX_set_verify_depth",
  none,
  [long, int],
);
export const ctxGetStore = call<(ctx: Pointer) => Pointer>("SSL_CTX_get_cert_store", long, [long]);
export const ctxAddClientAuthority = call<(ctx: Pointer, x509: Pointer) => number>(
  "SSL_CTX_add_client_CA",
  int,
  [long, long],
);
export const ctxSetTickets = call<(ctx: Pointer, count: number) => number>(
  "SSL_CTX_set_num_tickets",
  int,
  [long, long],
);
export const ctxSetTimeout = call<(ctx: Pointer, seconds: number) => number>(
  "SSL_CTX_set_timeout",
  long,
  [long, long],
);
export const ctxSetSessionIdContext = call<
  (ctx: Pointer, context: Uint8Array, length: number) => number
>("SSL_CTX_set_session_id_context", int, [long, bytes, "uint32_t"]);

// Connections.
export const sslNew = call<(ctx: Pointer) => Pointer>("SSL_new", long, [long]);
export const sslFree = call<(ssl: Pointer) => void>("SSL_free", none, [long]);
export const sslSetFd = call<(ssl: Pointer, fd: number) => number>("SSL_set_fd", int, [long, int]);
export const sslSetAccept = call<(ssl: Pointer) => void>("SSL_set_accept_state", none, [long]);
export const sslSetConnect = call<(ssl: Pointer) => void>("SSL_set_connect_state", none, [long]);
export const sslHandshake = call<(ssl: Pointer) => number>("SSL_do_handshake", int, [long]);
export const sslRead = call<(ssl: Pointer, to: Pointer, length: number) => number>(
  "SSL_read",
  int,
  [long, long, int],
);
export const sslReadBio = call<(ssl: Pointer) => Pointer>("SSL_get_rbio", long, [long]);
/** Bytes that it has brought in all its time. */
export const bioNumberRead = call<(bio: Pointer) => number>("BIO_number_read", long, [long]);
export const sslWrite = call<(ssl: Pointer, from: Pointer, length: number) => number>(
  "SSL_write",
  int,
  [long, long, int],
);
export const sslShutdown = call<(ssl: Pointer) => number>("SSL_shutdown", int, [long]);
export const sslError = call<(ssl: Pointer, result: number) => number>("SSL_get_error", int, [
  long,
  int,
]);
export const sslHasPending = call<(ssl: Pointer) => number>("SSL_has_pending", int, [long]);
export const sslCtrlText = call<
  (ssl: Pointer, command: number, number: number, text: string) => number
>("SSL_ctrl", long, [long, int, long, "str"]);
export const sslCtrl = call<
  (ssl: Pointer, command: number, number: number, pointer: Pointer) => number
>("SSL_ctrl", long, [long, int, long, long]);
/** As `sslCtrl`, writing into the slot. */
export const sslCtrlSlot = call<
  (ssl: Pointer, command: number, number: number, slot: Uint8Array) => number
>("SSL_ctrl", long, [long, int, long, bytes]);
export const sslPeerSignatureType = call<(ssl: Pointer, slot: Uint8Array) => number>(
  "SSL_get_peer_signature_type_nid",
  int,
  [long, bytes],
);
export const sslSetAlpn = call<(ssl: Pointer, protocols: Uint8Array, length: number) => number>(
  "SSL_set_alpn_protos",
  int,
  [long, bytes, "uint32_t"],
);
export const sslSetContext = call<(ssl: Pointer, ctx: Pointer) => Pointer>(
  "SSL_set_SSL_CTX",
  long,
  [long, long],
);
export const sslVerifyResult = call<(ssl: Pointer) => number>("SSL_get_verify_result", long, [
  long,
]);
export const sslReused = call<(ssl: Pointer) => number>("SSL_session_reused", int, [long]);
export const sslSession = call<(ssl: Pointer) => Pointer>("SSL_get_session", long, [long]);
export const sslSetSession = call<(ssl: Pointer, session: Pointer) => number>(
  "SSL_set_session",
  int,
  [long, long],
);
export const sessionFree = call<(session: Pointer) => void>("SSL_SESSION_free", none, [long]);
export const sessionVersion = call<(session: Pointer) => number>(
  "SSL_SESSION_get_protocol_version",
  int,
  [long],
);
export const sslVersion = call<(ssl: Pointer) => string>("SSL_get_version", "str", [long]);
export const sslCipher = call<(ssl: Pointer) => Pointer>("SSL_get_current_cipher", long, [long]);
export const cipherName = call<(cipher: Pointer) => string>("SSL_CIPHER_get_name", "str", [long]);
export const cipherProtocolId = call<(cipher: Pointer) => number>(
  "SSL_CIPHER_get_protocol_id",
  "uint16_t",
  [long],
);
export const sslGroupName = call<(ssl: Pointer) => string | null>("SSL_get0_group_name", "str", [
  long,
]);
export const sslServerName = call<(ssl: Pointer, type: number) => string | null>(
  "SSL_get_servername",
  "str",
  [long, int],
);
export const sslPeerLeaf = call<(ssl: Pointer) => Pointer>("SSL_get0_peer_certificate", long, [
  long,
]);
export const sslPeerChain = call<(ssl: Pointer) => Pointer>("SSL_get_peer_cert_chain", long, [
  long,
]);
export const sslOwnCertificate = call<(ssl: Pointer) => Pointer>("SSL_get_certificate", long, [
  long,
]);
const keyUsageBits = call<(x509: Pointer) => number>("X509_get_key_usage", "uint32_t", [long]);
export const stackCount = call<(stack: Pointer) => number>("OPENSSL_sk_num", int, [long]);
export const stackAt = call<(stack: Pointer, index: number) => Pointer>("OPENSSL_sk_value", long, [
  long,
  int,
]);

// What is written into an `out` slot of ours: pointers and lengths.
export const sslAlpn = call<(ssl: Pointer, protocol: Uint8Array, length: Uint8Array) => void>(
  "SSL_get0_alpn_selected",
  none,
  [long, "uint8_t *", "uint8_t *"],
);
export const sessionId = call<(session: Pointer, length: Uint8Array) => Pointer>(
  "SSL_SESSION_get_id",
  long,
  [long, "uint8_t *"],
);
/** Writes where `*to` points and moves it on; with `to` 0 only the length. */
export const x509ToDer = call<(x509: Pointer, to: Uint8Array | null) => number>("i2d_X509", int, [
  long,
  "uint8_t *",
]);

// PEM, through memory that OpenSSL copies.
export const bioMemory = call<() => Pointer>("BIO_s_mem", long, []);
export const bioNew = call<(method: Pointer) => Pointer>("BIO_new", long, [long]);
export const bioFree = call<(bio: Pointer) => number>("BIO_free", int, [long]);
export const bioWrite = call<(bio: Pointer, value: Uint8Array, length: number) => number>(
  "BIO_write",
  int,
  [long, bytes, int],
);
export const pemReadX509 = call<
  (bio: Pointer, out: Pointer, callback: Pointer, user: Pointer) => Pointer
>("PEM_read_bio_X509_AUX", long, [long, long, long, long]);
export const pemReadCrl = call<
  (bio: Pointer, out: Pointer, callback: Pointer, user: Pointer) => Pointer
>("PEM_read_bio_X509_CRL", long, [long, long, long, long]);
/** Without a callback `user` is the passphrase. */
export const pemReadKey = call<
  (bio: Pointer, out: Pointer, callback: Pointer, user: string | null) => Pointer
>("PEM_read_bio_PrivateKey", long, [long, long, long, "str"]);
export const x509Free = call<(x509: Pointer) => void>("X509_free", none, [long]);
export const crlFree = call<(crl: Pointer) => void>("X509_CRL_free", none, [long]);
export const keyFree = call<(key: Pointer) => void>("EVP_PKEY_free", none, [long]);
export const storeAddCertificate = call<(store: Pointer, x509: Pointer) => number>(
  "X509_STORE_add_cert",
  int,
  [long, long],
);
export const storeAddCrl = call<(store: Pointer, crl: Pointer) => number>(
  "X509_STORE_add_crl",
  int,
  [long, long],
);
export const storeSetFlags = call<(store: Pointer, flags: number) => number>(
  "X509_STORE_set_flags",
  int,
  [long, long],
);
export const allocate = call<(bytes: number, file: Pointer, line: number) => Pointer>(
  "CRYPTO_malloc",
  long,
  [long, long, int],
);
export const release = call<(memory: Pointer, file: Pointer, line: number) => void>(
  "CRYPTO_free",
  none,
  [long, long, int],
);

// Errors.
export const errClear = call<() => void>("ERR_clear_error", none, []);
export const errPeekLast = call<() => number>("ERR_peek_last_error", long, []);
const reasonText = call<(code: number) => string | null>("ERR_reason_error_string", "str", [long]);
const verifyText = call<(code: number) => string>("X509_verify_cert_error_string", "str", [long]);

/** The newest error of the queue in OpenSSL's words; empties the queue. */
export function takeError(): string {
  const code = errPeekLast();
  errClear();
  return reasonText(code) ?? "unknown error";
}

/** Undefined: it says nothing of it. */
export function x509KeyUsage(x509: Pointer): number | undefined {
  const bits = keyUsageBits(x509);
  return bits === 0xffff_ffff ? undefined : bits;
}

export function verifyErrorText(code: number): string {
  return verifyText(code);
}

// Verifying.
export const storeContextSsl = call<(storeContext: Pointer, index: number) => Pointer>(
  "X509_STORE_CTX_get_ex_data",
  long,
  [long, int],
);
export const storeContextIndex = call<() => number>("SSL_get_ex_data_X509_STORE_CTX_idx", int, []);
export const storeContextLeaf = call<(storeContext: Pointer) => Pointer>(
  "X509_STORE_CTX_get0_cert",
  long,
  [long],
);
/** What was verified, the leaf first. */
export const storeContextChain = call<(storeContext: Pointer) => Pointer>(
  "X509_STORE_CTX_get0_chain",
  long,
  [long],
);
export const storeContextError = call<(storeContext: Pointer) => number>(
  "X509_STORE_CTX_get_error",
  int,
  [long],
);
export const storeContextSetError = call<(storeContext: Pointer, code: number) => void>(
  "X509_STORE_CTX_set_error",
  none,
  [long, int],
);
export const storeContextDepth = call<(storeContext: Pointer) => number>(
  "X509_STORE_CTX_get_error_depth",
  int,
  [long],
);
export const verifyChain = call<(storeContext: Pointer) => number>("X509_verify_cert", int, [long]);

// Callbacks. They are called from within calls of ours, on the same thread.
const verifyProto = koffi.proto("int SluiceVerify(int64_t storeContext, int64_t argument)");
const alpnProto = koffi.proto(
  "int SluiceAlpn(int64_t ssl, int64_t out, int64_t outLength, int64_t offered, uint32_t length, int64_t argument)",
);
const serverNameProto = koffi.proto(
  "int SluiceServerName(int64_t ssl, int64_t alert, int64_t argument)",
);
const keyLogProto = koffi.proto("void SluiceKeyLog(int64_t ssl, const char *line)");
const newSessionProto = koffi.proto("int SluiceNewSession(int64_t ssl, int64_t session)");
const ticketProto = koffi.proto(
  "int SluiceTicket(int64_t ssl, int64_t name, int64_t iv, int64_t cipher, int64_t mac, int encrypts)",
);
const statusProto = koffi.proto("int SluiceStatus(int64_t ssl, int64_t argument)");

type Registered = ReturnType<typeof koffi.register>;

export const onVerify = (body: (storeContext: Pointer) => number): Registered =>
  koffi.register(body, koffi.pointer(verifyProto));
/** Of `SSL_CTX_set_alpn_select_cb`: where the answer goes, and what the client offers. */
export interface AlpnQuestion {
  readonly out: Pointer;
  readonly outLength: Pointer;
  readonly offered: Pointer;
  readonly length: number;
}

export const onAlpn = (body: (ssl: Pointer, question: AlpnQuestion) => number): Registered =>
  koffi.register(
    (ssl: Pointer, out: Pointer, outLength: Pointer, offered: Pointer, length: number) =>
      body(ssl, { out, outLength, offered, length }),
    koffi.pointer(alpnProto),
  );
export const onServerName = (body: (ssl: Pointer, alert: Pointer) => number): Registered =>
  koffi.register(body, koffi.pointer(serverNameProto));
export const onKeyLog = (body: (ssl: Pointer, line: string) => void): Registered =>
  koffi.register(body, koffi.pointer(keyLogProto));
export const onNewSession = (body: (ssl: Pointer, session: Pointer) => number): Registered =>
  koffi.register(body, koffi.pointer(newSessionProto));
/** Of `SSL_CTX_set_tlsext_ticket_key_evp_cb`. */
export interface TicketQuestion {
  readonly name: Pointer;
  readonly iv: Pointer;
  readonly cipher: Pointer;
  readonly mac: Pointer;
  readonly encrypts: boolean;
}

export const onTicket = (body: (question: TicketQuestion) => number): Registered =>
  koffi.register(
    (_ssl: Pointer, name: Pointer, iv: Pointer, cipher: Pointer, mac: Pointer, enc: number) =>
      body({ name, iv, cipher, mac, encrypts: enc === 1 }),
    koffi.pointer(ticketProto),
  );
export const onStatus = (body: (ssl: Pointer) => number): Registered =>
  koffi.register(body, koffi.pointer(statusProto));

const setter = (name: string, proto: ReturnType<typeof koffi.proto>, hasArgument: boolean) =>
  openssl.func(name, none, [long, koffi.pointer(proto), ...(hasArgument ? [long] : [])]);
const setVerify = setter("SSL_CTX_set_cert_verify_callback", verifyProto, true);
const setAlpn = setter("SSL_CTX_set_alpn_select_cb", alpnProto, true);
const setKeyLog = setter("SSL_CTX_set_keylog_callback", keyLogProto, false);
const setNewSession = setter("SSL_CTX_sess_set_new_cb", newSessionProto, false);
const setTicket = openssl.func("SSL_CTX_set_tlsext_ticket_key_evp_cb", int, [
  long,
  koffi.pointer(ticketProto),
]);
const setServerName = openssl.func("SSL_CTX_callback_ctrl", long, [
  long,
  int,
  koffi.pointer(serverNameProto),
]);
const setStatus = openssl.func("SSL_CTX_callback_ctrl", long, [
  long,
  int,
  koffi.pointer(statusProto),
]);

export const ctxOnVerify = (ctx: Pointer, callback: Registered): void =>
  void setVerify(ctx, callback, 0);
export const ctxOnAlpn = (ctx: Pointer, callback: Registered): void =>
  void setAlpn(ctx, callback, 0);
export const ctxOnKeyLog = (ctx: Pointer, callback: Registered): void =>
  void setKeyLog(ctx, callback);
export const ctxOnNewSession = (ctx: Pointer, callback: Registered): void =>
  void setNewSession(ctx, callback);
export const ctxOnTicket = (ctx: Pointer, callback: Registered): void =>
  void setTicket(ctx, callback);
export const ctxOnServerName = (ctx: Pointer, callback: Registered): void =>
  void setServerName(ctx, 53, callback);
export const ctxOnStatus = (ctx: Pointer, callback: Registered): void =>
  void setStatus(ctx, 63, callback);

/** `length` bytes of memory that OpenSSL owns, until the next call of it: copied. */
export function copyOf(pointer: Pointer, length: number): Buffer {
  if (pointer === 0 || length === 0) return Buffer.alloc(0);
  return Buffer.from(Buffer.from(koffi.view(BigInt(pointer), length)));
}

/** Writable memory that OpenSSL lends to a callback. */
export function viewOf(pointer: Pointer, length: number): Buffer {
  return Buffer.from(koffi.view(BigInt(pointer), length));
}

// Ticket keys.
export const randomBytes = call<(to: Pointer, length: number) => number>("RAND_bytes", int, [
  long,
  int,
]);
export const aes256Cbc = call<() => Pointer>("EVP_aes_256_cbc", long, []);
export const encryptInit = call<
  (context: Pointer, cipher: Pointer, engine: Pointer, key: Uint8Array, iv: Pointer) => number
>("EVP_EncryptInit_ex", int, [long, long, long, bytes, long]);
export const decryptInit = call<
  (context: Pointer, cipher: Pointer, engine: Pointer, key: Uint8Array, iv: Pointer) => number
>("EVP_DecryptInit_ex", int, [long, long, long, bytes, long]);
export const macInit = call<
  (context: Pointer, key: Uint8Array, length: number, parameters: Uint8Array) => number
>("EVP_MAC_init", int, [long, bytes, long, bytes]);

/** Numbers of ssl.h, tls1.h, x509_vfy.h. */
export const ssl = {
  FILETYPE_PEM: 1,
  ERROR_NONE: 0,
  ERROR_SSL: 1,
  ERROR_WANT_READ: 2,
  ERROR_WANT_WRITE: 3,
  ERROR_SYSCALL: 5,
  ERROR_ZERO_RETURN: 6,
  CTRL_SET_MODE: 33,
  CTRL_SET_SESSION_CACHE_SIZE: 42,
  CTRL_SET_SESSION_CACHE_MODE: 44,
  CTRL_SET_READ_AHEAD: 41,
  CTRL_SET_SERVER_NAME: 55,
  CTRL_SET_TICKET_KEYS: 59,
  CTRL_SET_STATUS_RESPONSE: 71,
  CTRL_CHAIN_CERTIFICATE: 89,
  CTRL_SET_GROUPS: 92,
  CTRL_SET_SIGALGS: 98,
  CTRL_GET_PEER_SIGNATURE_DIGEST: 108,
  CTRL_SET_MIN_VERSION: 123,
  CTRL_SET_MAX_VERSION: 124,
  MODE_PARTIAL_WRITE: 1,
  MODE_MOVING_WRITE_BUFFER: 2,
  MODE_RELEASE_BUFFERS: 0x10,
  SESSION_CACHE_OFF: 0,
  SESSION_CACHE_CLIENT: 1,
  SESSION_CACHE_SERVER: 2,
  SESSION_CACHE_NO_INTERNAL: 0x300,
  VERIFY_NONE: 0,
  VERIFY_PEER: 1,
  VERIFY_FAIL_IF_NO_PEER_CERT: 2,
  OP_IGNORE_UNEXPECTED_EOF: 2 ** 7,
  OP_NO_TICKET: 2 ** 14,
  OP_CIPHER_SERVER_PREFERENCE: 2 ** 22,
  OP_NO_RENEGOTIATION: 2 ** 30,
  OP_NO_COMPRESSION: 2 ** 17,
  TLSEXT_ERR_OK: 0,
  TLSEXT_ERR_ALERT_FATAL: 2,
  TLSEXT_ERR_NOACK: 3,
  X509_V_OK: 0,
  X509_V_ERR_APPLICATION_VERIFICATION: 50,
  X509_V_ERR_CERT_HAS_EXPIRED: 10,
  X509_V_FLAG_CRL_CHECK: 4,
  X509_V_FLAG_CRL_CHECK_ALL: 8,
  X509_V_FLAG_PARTIAL_CHAIN: 0x80000,
  X509_V_FLAG_NO_CHECK_TIME: 0x200000,
} as const;

export const versionNumbers = {
  TLSv1: 0x0301,
  "TLSv1.1": 0x0302,
  "TLSv1.2": 0x0303,
  "TLSv1.3": 0x0304,
} as const;
