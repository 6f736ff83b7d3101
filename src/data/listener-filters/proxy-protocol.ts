/**
 * Takes the addresses of a connection from the header that a proxy before us has put in front of it, and takes the header
 * out of the stream (Envoy: `proxy_protocol`). Whoever can connect can claim any address: the listener must be reachable
 * by such proxies alone.
 */
import type { ProxyProtocolConfig } from "../../shared/config/listener-filter-config.ts";
import {
  proxyProtocolErrorStats,
  proxyProtocolStats,
} from "../../shared/stats/listener-filter-stats.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type {
  ListenerFilter,
  ListenerFilterContext,
  ListenerFilterFactory,
  ListenerFilterVerdict,
} from "./listener-filter.ts";
import {
  type ProxyHeader,
  type ProxyVersion,
  fixedBytes,
  mayBegin,
  readProxyHeader,
} from "./proxy-header.ts";

const notFoundAllowed = proxyProtocolStats.offset("not_found_allowed");
const notFoundDisallowed = proxyProtocolStats.offset("not_found_disallowed");
const ofVersion = {
  v1: {
    found: proxyProtocolStats.offset("versions.v1.found"),
    disallowed: proxyProtocolStats.offset("versions.v1.disallowed"),
    error: proxyProtocolStats.offset("versions.v1.error"),
  },
  v2: {
    found: proxyProtocolStats.offset("versions.v2.found"),
    disallowed: proxyProtocolStats.offset("versions.v2.disallowed"),
    error: proxyProtocolStats.offset("versions.v2.error"),
  },
} as const;
const anyError = proxyProtocolErrorStats.offset("downstream_cx_proxy_proto_error");

/** Before the length of a header is known: the longest line, or the longest addresses of version 2. */
const firstReadBytes = 232;

export interface ProxyProtocolParts {
  readonly config: ProxyProtocolConfig;
  readonly slab: StatSlab;
  readonly stats: StatBlock;
  readonly errorStats: StatBlock;
}

export function createProxyProtocolFactory(parts: ProxyProtocolParts): ListenerFilterFactory {
  return { create: (context) => new ProxyProtocol(parts, context) };
}

class ProxyProtocol implements ListenerFilter {
  readonly #parts: ProxyProtocolParts;
  readonly #context: ListenerFilterContext;
  maxReadBytes = firstReadBytes;

  constructor(parts: ProxyProtocolParts, context: ListenerFilterContext) {
    this.#parts = parts;
    this.#context = context;
  }

  onAccept(): ListenerFilterVerdict {
    return "wait";
  }

  onData(bytes: Uint8Array): ListenerFilterVerdict {
    const { allowsNone, disallowedVersions } = this.#parts.config;
    if (allowsNone && !this.#mayBeHeader(bytes)) return this.#pass();
    const version = versionOf(bytes);
    if (version && disallowedVersions.includes(version)) {
      this.#count(ofVersion[version].disallowed);
      return "close";
    }
    const result = readProxyHeader(bytes);
    switch (result.kind) {
      case "incomplete":
        this.maxReadBytes = Math.max(this.maxReadBytes, result.wanted);
        return "wait";
      case "absent":
        this.#count(notFoundDisallowed);
        return this.#refuse();
      case "broken":
        this.#count(ofVersion[result.version].error);
        return this.#refuse();
      case "header":
        return this.#take(result);
      default:
        return result satisfies never;
    }
  }

  /** Of a version that is allowed. */
  #mayBeHeader(bytes: Uint8Array): boolean {
    const { disallowedVersions } = this.#parts.config;
    const versions: readonly ProxyVersion[] = ["v1", "v2"];
    return versions.some(
      (version) => !disallowedVersions.includes(version) && mayBegin(bytes, version),
    );
  }

  #pass(): ListenerFilterVerdict {
    this.#count(notFoundAllowed);
    return "continue";
  }

  #refuse(): ListenerFilterVerdict {
    this.#parts.slab.add(this.#parts.errorStats, anyError);
    return "close";
  }

  #take({ version, length, addresses }: ProxyHeader): ListenerFilterVerdict {
    const { facts, socket } = this.#context;
    if (addresses) {
      facts.restoreLocalAddress(addresses.destination);
      facts.setRemoteAddress(addresses.source);
    }
    socket.take(length);
    this.#count(ofVersion[version].found);
    return "continue";
  }

  #count(offset: number): void {
    this.#parts.slab.add(this.#parts.stats, offset);
  }
}

/** Undefined: too little is here, or it is neither. */
function versionOf(bytes: Uint8Array): ProxyVersion | undefined {
  if (bytes.length < fixedBytes) return undefined;
  if (mayBegin(bytes, "v2")) return "v2";
  return mayBegin(bytes, "v1") ? "v1" : undefined;
}
