/**
 * Tells whether a connection begins with TLS, and what its ClientHello asks for (Envoy: `tls_inspector`). It looks and
 * takes nothing: the handshake begins with the same bytes.
 */
import type { TlsInspectorConfig } from "../../shared/config/listener-filter-config.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { tlsInspectorStats } from "../../shared/stats/listener-filter-stats.ts";
import type { LearnedFacts } from "../network/learned-facts.ts";
import { type ClientHello, readClientHello } from "./client-hello.ts";
import { alpnOf, hasKnownVersion, serverNameOf } from "./hello-facts.ts";
import { ja3Of, ja4Of } from "./hello-fingerprints.ts";
import type {
  ListenerFilter,
  ListenerFilterContext,
  ListenerFilterFactory,
  ListenerFilterVerdict,
} from "./listener-filter.ts";

const tooLarge = tlsInspectorStats.offset("client_hello_too_large");
const tlsFound = tlsInspectorStats.offset("tls_found");
const tlsNotFound = tlsInspectorStats.offset("tls_not_found");
const alpnFound = tlsInspectorStats.offset("alpn_found");
const alpnNotFound = tlsInspectorStats.offset("alpn_not_found");
const sniFound = tlsInspectorStats.offset("sni_found");
const sniNotFound = tlsInspectorStats.offset("sni_not_found");
const bytesProcessed = tlsInspectorStats.offset("bytes_processed");

export interface InspectorParts {
  readonly config: TlsInspectorConfig;
  readonly slab: StatSlab;
  readonly stats: StatBlock;
}

export function createTlsInspectorFactory(parts: InspectorParts): ListenerFilterFactory {
  return { create: ({ facts }: ListenerFilterContext) => new TlsInspector(parts, facts) };
}

class TlsInspector implements ListenerFilter {
  readonly #parts: InspectorParts;
  readonly #facts: LearnedFacts;
  maxReadBytes: number;

  constructor(parts: InspectorParts, facts: LearnedFacts) {
    this.#parts = parts;
    this.#facts = facts;
    this.maxReadBytes = parts.config.initialReadBytes;
  }

  onAccept(): ListenerFilterVerdict {
    return "wait";
  }

  onData(bytes: Uint8Array): ListenerFilterVerdict {
    const result = readClientHello(bytes);
    switch (result.kind) {
      case "incomplete":
        return this.#waitForMore(bytes.length);
      case "invalid":
        return this.#onNoTls(bytes.length, result.length);
      case "hello":
        return this.#onHello(result.hello, bytes.length, result.length);
      default:
        return result satisfies never;
    }
  }

  #waitForMore(seen: number): ListenerFilterVerdict {
    const { helloBytesMax } = this.#parts.config;
    if (seen >= helloBytesMax) {
      this.#count(tooLarge);
      this.#recordLength(seen);
      return "close";
    }
    if (seen >= this.maxReadBytes) this.maxReadBytes = Math.min(2 * seen, helloBytesMax);
    return "wait";
  }

  #onHello(hello: ClientHello, seen: number, length: number): ListenerFilterVerdict {
    const serverName = hasKnownVersion(hello) ? serverNameOf(hello) : undefined;
    if (serverName === undefined) return this.#onNoTls(seen, length);
    const { config } = this.#parts;
    const facts = this.#facts;
    const protocols = alpnOf(hello);
    facts.detectedTransport = "tls";
    facts.serverName = serverName.toLowerCase();
    if (protocols) facts.applicationProtocols = protocols;
    if (config.ja3) facts.ja3 = ja3Of(hello);
    if (config.ja4) facts.ja4 = ja4Of(hello);
    this.#count(tlsFound);
    this.#count(serverName === "" ? sniNotFound : sniFound);
    this.#count(protocols ? alpnFound : alpnNotFound);
    this.#recordLength(length);
    return "continue";
  }

  #onNoTls(seen: number, length: number): ListenerFilterVerdict {
    const { closesOnParsingErrors, helloBytesMax } = this.#parts.config;
    this.#recordLength(length);
    this.#count(tlsNotFound);
    if (!closesOnParsingErrors) return "continue";
    if (seen >= helloBytesMax) this.#count(tooLarge);
    return "close";
  }

  #count(offset: number): void {
    this.#parts.slab.add(this.#parts.stats, offset);
  }

  #recordLength(length: number): void {
    this.#parts.slab.record(this.#parts.stats, bytesProcessed, length);
  }
}
