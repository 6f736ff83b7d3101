/**
 * Small numbers for the header names that the data path asks about, found by a perfect hash that the
 * parser computes while it lower-cases a name. 0 means: any other name.
 *
 * The seed and the shift are searched at load time; adding a name needs no more than adding it here.
 */
import { latin1 } from "./ascii.ts";

export const knownHeader = {
  connection: 1,
  "keep-alive": 2,
  "proxy-connection": 3,
  "transfer-encoding": 4,
  te: 5,
  upgrade: 6,
  "content-length": 7,
  host: 8,
  "x-forwarded-for": 9,
  "x-forwarded-proto": 10,
  "x-request-id": 11,
  expect: 12,
  server: 13,
  date: 14,
  via: 15,
  trailer: 16,
  "http2-settings": 17,
  cookie: 18,
  "x-forwarded-host": 19,
  "x-forwarded-client-cert": 20,
  "content-type": 21,
  "x-envoy-expected-rq-timeout-ms": 22,
  "x-envoy-upstream-service-time": 23,
  "x-envoy-internal": 24,
  "x-envoy-external-address": 25,
  "x-envoy-decorator-operation": 26,
  "x-envoy-downstream-service-cluster": 27,
  "x-envoy-downstream-service-node": 28,
  "x-envoy-retry-on": 29,
  "x-envoy-retry-grpc-on": 30,
  "x-envoy-max-retries": 31,
  "x-envoy-retriable-status-codes": 32,
  "x-envoy-retriable-header-names": 33,
  "x-envoy-upstream-alt-stat-name": 34,
  "x-envoy-upstream-rq-timeout-ms": 35,
  "x-envoy-upstream-rq-per-try-timeout-ms": 36,
  "x-envoy-upstream-rq-timeout-alt-response": 37,
  "x-envoy-force-trace": 38,
  "x-envoy-ip-tags": 39,
  "x-envoy-original-url": 40,
  "x-envoy-hedge-on-per-try-timeout": 41,
  "x-envoy-original-path": 42,
  "x-envoy-attempt-count": 43,
  "x-envoy-original-host": 44,
} as const;

export type KnownHeaderName = keyof typeof knownHeader;

const slotCount = 1024;
const slotMask = slotCount - 1;

/** Bytes of each known name by its number; index 0 is empty. */
export const knownHeaderBytes: readonly Uint8Array[] = [
  new Uint8Array(0),
  ...Object.keys(knownHeader).map(latin1),
];

const search = findSeed();
/** Multiplier of the hash `h = h * hashSeed + byte`, kept to 32 bits. */
export const hashSeed = search.seed;
const idBySlot = search.table;

/** The number of the name in bytes[start, end), already lower case, whose hash is `hash`; else 0. */
export function knownHeaderId(bytes: Uint8Array, start: number, end: number, hash: number): number {
  const id = idBySlot[slotOf(hash)] as number;
  if (id === 0) return 0;
  const name = knownHeaderBytes[id] as Uint8Array;
  const length = name.length;
  if (length !== end - start) return 0;
  for (let i = 0; i < length; i++) {
    if (name[i] !== bytes[start + i]) return 0;
  }
  return id;
}

/** For names from configuration (lower case). */
export function knownHeaderIdOf(name: string): number {
  return Object.hasOwn(knownHeader, name) ? knownHeader[name as KnownHeaderName] : 0;
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 12)) & slotMask;
}

function hashOf(name: Uint8Array, seed: number): number {
  let hash = 0;
  for (const byte of name) hash = (Math.imul(hash, seed) + byte) | 0;
  return hash;
}

function findSeed(): { readonly seed: number; readonly table: Uint8Array } {
  for (let seed = 31; ; seed += 2) {
    const table = tableFor(seed);
    if (table !== undefined) return { seed, table };
  }
}

function tableFor(seed: number): Uint8Array | undefined {
  const table = new Uint8Array(slotCount);
  for (let id = 1; id < knownHeaderBytes.length; id++) {
    const slot = slotOf(hashOf(knownHeaderBytes[id] as Uint8Array, seed));
    if (table[slot] !== 0) return undefined;
    table[slot] = id;
  }
  return table;
}
