/** PEM into what OpenSSL works with. Each reader gives what it read to `use`, and frees it: contexts take references. */
import { X509Certificate } from "node:crypto";
import {
  bioFree,
  bioMemory,
  bioNew,
  bioWrite,
  copyOf,
  crlFree,
  errClear,
  keyFree,
  pemReadCrl,
  pemReadKey,
  pemReadX509,
  release,
  stackAt,
  stackCount,
  takeError,
  x509Free,
  x509ToDer,
} from "./openssl.ts";
import { NativeObject } from "./native-object.ts";
import { TlsError } from "./tls.ts";

/** All certificates of a file, in order. `what` is for the error when there is none. */
export function eachCertificate(pem: Uint8Array, what: string, use: (x509: number) => void): void {
  const count = readAll(pem, (bio) => pemReadX509(bio, 0, 0, 0), x509Free, use);
  if (count === 0) throw new TlsError(`Failed to load ${what}: no certificate in it`);
}

export function eachCrl(pem: Uint8Array, use: (crl: number) => void): void {
  const count = readAll(pem, (bio) => pemReadCrl(bio, 0, 0, 0), crlFree, use);
  if (count === 0) throw new TlsError("Failed to load CRL: there is none in it");
}

export function withPrivateKey(
  pem: Uint8Array,
  passphrase: string | undefined,
  use: (key: number) => void,
): void {
  withMemory(pem, (bio) => {
    errClear();
    // Without a callback OpenSSL would ask at the terminal: an empty passphrase it does not.
    const key = pemReadKey(bio, 0, 0, passphrase ?? "");
    if (key === 0) throw new TlsError(`Failed to load private key: ${takeError()}`);
    const owned = new NativeObject(key, keyFree);
    try {
      use(owned.pointer);
    } finally {
      owned.free();
    }
  });
}

/** A certificate that OpenSSL owns, as Node knows them. */
export function certificateOf(x509: number): X509Certificate {
  // With a pointer to NULL it allocates: the pointer comes back in the slot.
  const slot = new Uint8Array(8);
  const length = x509ToDer(x509, slot);
  const address = Number(new DataView(slot.buffer).getBigUint64(0, true));
  try {
    return new X509Certificate(copyOf(address, length));
  } finally {
    release(address, 0, 0);
  }
}

function readAll(
  pem: Uint8Array,
  read: (bio: number) => number,
  free: (pointer: number) => void,
  use: (pointer: number) => void,
): number {
  let count = 0;
  withMemory(pem, (bio) => {
    for (let one = read(bio); one !== 0; one = read(bio)) {
      count++;
      const owned = new NativeObject(one, free);
      try {
        use(owned.pointer);
      } finally {
        owned.free();
      }
    }
    // The end of the file is an error to OpenSSL.
    errClear();
  });
  return count;
}

function withMemory(pem: Uint8Array, use: (bio: number) => void): void {
  const bio = new NativeObject(bioNew(bioMemory()), bioFree);
  try {
    bioWrite(bio.pointer, pem, pem.length);
    use(bio.pointer);
  } finally {
    bio.free();
  }
}

/** Of a STACK_OF(X509) that OpenSSL owns; 0: none. */
export function certificatesOf(stack: number): readonly X509Certificate[] {
  const count = stack === 0 ? 0 : stackCount(stack);
  return Array.from({ length: Math.max(0, count) }, (_, i) => certificateOf(stackAt(stack, i)));
}
