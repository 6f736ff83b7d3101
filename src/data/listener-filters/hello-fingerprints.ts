/**
 * Fingerprints of a client's TLS stack: JA3 (salesforce/ja3) and JA4 (FoxIO-LLC/ja4, "JA4: TLS Client Fingerprinting").
 * Values that clients throw in at random to keep servers tolerant (GREASE, RFC 8701) are left out.
 */
import { createHash } from "node:crypto";
import { type ClientHello, extensionOf, u16List } from "./client-hello.ts";
import { alpnOf, extensionTypes } from "./hello-facts.ts";

/** 32 hexadecimal digits. Groups are written as they come, GREASE too, as Envoy does. */
export function ja3Of(hello: ClientHello): string {
  const text = [
    String(hello.version),
    hello.cipherSuites.filter(isNoGrease).join("-"),
    hello.extensions
      .map(({ type }) => type)
      .filter(isNoGrease)
      .join("-"),
    u16List(contentAfter(hello, extensionTypes.supportedGroups, 2)).join("-"),
    contentAfter(hello, extensionTypes.pointFormats, 1).join("-"),
  ].join(",");
  return createHash("md5").update(text).digest("hex");
}

/** `t13d1516h2_8daaf6152771_e5627efa2ab1`. */
export function ja4Of(hello: ClientHello): string {
  const ciphers = hello.cipherSuites.filter(isNoGrease);
  const extensions = hello.extensions.map(({ type }) => type).filter(isNoGrease);
  const hasName = extensions.includes(extensionTypes.serverName);
  const head = [
    "t",
    versionOf(hello),
    hasName ? "d" : "i",
    countOf(ciphers),
    countOf(extensions),
    alpnMark(hello),
  ].join("");
  const hashed = extensions.filter(
    (type) => type !== extensionTypes.serverName && type !== extensionTypes.alpn,
  );
  const algorithms = u16List(contentAfter(hello, extensionTypes.signatureAlgorithms, 2)).filter(
    isNoGrease,
  );
  const tail = algorithms.length === 0 ? "" : `_${algorithms.map(hex4).join(",")}`;
  return `${head}_${hashOf(sorted(ciphers))}_${hashOf(sorted(hashed) + tail)}`;
}

function sorted(values: readonly number[]): string {
  return values.map(hex4).sort().join(",");
}

function hashOf(text: string): string {
  if (text === "") return "000000000000";
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

const isNoGrease = (value: number): boolean =>
  (value & 0x0f0f) !== 0x0a0a || value >> 8 !== (value & 255);

const hex4 = (value: number): string => value.toString(16).padStart(4, "0");

const countOf = (values: readonly number[]): string =>
  String(Math.min(values.length, 99)).padStart(2, "0");

/** The list in an extension, behind its own length. */
function contentAfter(hello: ClientHello, type: number, lengthBytes: number): Uint8Array {
  return extensionOf(hello, type)?.subarray(lengthBytes) ?? new Uint8Array(0);
}

const versionMarks: Readonly<Record<number, string>> = {
  0x0304: "13",
  0x0303: "12",
  0x0302: "11",
  0x0301: "10",
  0x0300: "s3",
  0x0002: "s2",
};

/** The highest that is offered. */
function versionOf(hello: ClientHello): string {
  const offered = u16List(contentAfter(hello, extensionTypes.supportedVersions, 1));
  const known = offered.filter(isNoGrease);
  return versionMarks[known.length === 0 ? hello.version : Math.max(...known)] ?? "00";
}

/** The first and the last character of the first protocol; of what is no letter or digit, the digits of its code. */
function alpnMark(hello: ClientHello): string {
  const first = alpnOf(hello)?.[0];
  if (first === undefined) return "00";
  const ends = `${first.at(0) ?? ""}${first.at(-1) ?? ""}`;
  if (/^[0-9a-zA-Z]{2}$/.test(ends)) return ends;
  const digits = Buffer.from(ends, "latin1").toString("hex");
  return `${digits.at(0) ?? "0"}${digits.at(-1) ?? "0"}`;
}
