/**
 * Session tickets under several keys (RFC 5077 4, as OpenSSL lays them out): the first encrypts, all decrypt, and what
 * an old one decrypts is issued anew. A key is 80 bytes as in Envoy: its name, then of HMAC-SHA256, then of AES-256-CBC.
 */
import { mapMemory } from "../syscalls.ts";
import { assert } from "../../common/assert.ts";
import { aes256Cbc, decryptInit, encryptInit, macInit, randomBytes, viewOf } from "./openssl.ts";
import type { TicketCallback } from "./ssl-callbacks.ts";

export const ticketKeyBytes = 80;
const nameBytes = 16;
const macBytes = 32;
const ivBytes = 16;

/** What the callback answers with (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)). */
const failed = -1;
const unknown = 0;
const done = 1;
const renew = 2;

interface TicketKey {
  readonly name: Buffer;
  readonly mac: Buffer;
  readonly aes: Buffer;
}

export function ticketCallback(keys: readonly Uint8Array[]): TicketCallback {
  const all = keys.map(splitKey);
  const [newest] = all;
  assert(newest, "no ticket key");
  const digest = digestParameters();
  return ({ name, iv, cipher, mac, encrypts }) => {
    const nameSlot = viewOf(name, nameBytes);
    if (encrypts) {
      if (randomBytes(iv, ivBytes) !== 1) return failed;
      newest.name.copy(nameSlot);
      const isReady =
        encryptInit(cipher, aes256Cbc(), 0, newest.aes, iv) === 1 &&
        macInit(mac, newest.mac, macBytes, digest) === 1;
      return isReady ? done : failed;
    }
    const key = all.find((one) => one.name.equals(nameSlot));
    if (!key) return unknown;
    const isReady =
      macInit(mac, key.mac, macBytes, digest) === 1 &&
      decryptInit(cipher, aes256Cbc(), 0, key.aes, iv) === 1;
    if (!isReady) return failed;
    return key === newest ? done : renew;
  };
}

function splitKey(key: Uint8Array): TicketKey {
  const bytes = Buffer.from(key);
  return {
    name: bytes.subarray(0, nameBytes),
    mac: bytes.subarray(nameBytes, nameBytes + macBytes),
    aes: bytes.subarray(nameBytes + macBytes, ticketKeyBytes),
  };
}

/** OSSL_PARAM of the digest (core.h: key, type, data, size, returned size), an empty one for the end. */
function digestParameters(): Uint8Array {
  const parameterBytes = 40;
  const utf8String = 4;
  const texts = mapMemory(4096);
  assert(texts, "no memory for the name of a digest");
  const [key, value] = ["digest\0", "SHA256\0"];
  Buffer.from(texts.buffer).write(key + value, "latin1");
  const parameters = Buffer.alloc(2 * parameterBytes);
  parameters.writeBigUInt64LE(BigInt(texts.address), 0);
  parameters.writeUInt32LE(utf8String, 8);
  parameters.writeBigUInt64LE(BigInt(texts.address + key.length), 16);
  parameters.writeBigUInt64LE(BigInt(value.length - 1), 24);
  return parameters;
}
