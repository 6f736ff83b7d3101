/**
 * Tells which version of HTTP a plain connection begins with, as the application protocol that filter chains match (Envoy:
 * `http_inspector`). Behind `tls_inspector` it leaves TLS alone.
 */
import { httpInspectorStats } from "../../shared/stats/listener-filter-stats.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { LearnedFacts } from "../network/learned-facts.ts";
import type {
  ListenerFilter,
  ListenerFilterFactory,
  ListenerFilterVerdict,
} from "./listener-filter.ts";
import { type SpokenHttp, readHttpBeginning } from "./http-beginning.ts";

const found: Readonly<Record<SpokenHttp, { readonly offset: number; readonly alpn: string }>> = {
  http10: { offset: httpInspectorStats.offset("http10_found"), alpn: "http/1.0" },
  http11: { offset: httpInspectorStats.offset("http11_found"), alpn: "http/1.1" },
  http2: { offset: httpInspectorStats.offset("http2_found"), alpn: "h2c" },
};
const notFound = httpInspectorStats.offset("http_not_found");
const readError = httpInspectorStats.offset("read_error");

/** Envoy's: as many at first, then twice as many each time, to 64 KiB. */
const initialReadBytes = 8 * 1024;
const inspectedBytesMax = 64 * 1024;

export interface HttpInspectorParts {
  readonly slab: StatSlab;
  readonly stats: StatBlock;
}

export function createHttpInspectorFactory(parts: HttpInspectorParts): ListenerFilterFactory {
  return { create: ({ facts }) => new HttpInspector(parts, facts) };
}

class HttpInspector implements ListenerFilter {
  readonly #parts: HttpInspectorParts;
  readonly #facts: LearnedFacts;
  maxReadBytes = initialReadBytes;

  constructor(parts: HttpInspectorParts, facts: LearnedFacts) {
    this.#parts = parts;
    this.#facts = facts;
  }

  onAccept(): ListenerFilterVerdict {
    return this.#facts.transportProtocol === "raw_buffer" ? "wait" : "continue";
  }

  onData(bytes: Uint8Array): ListenerFilterVerdict {
    const spoken = readHttpBeginning(bytes);
    if (spoken === "incomplete") return this.#waitForMore(bytes.length);
    if (spoken === "none") this.#count(notFound);
    else {
      this.#count(found[spoken].offset);
      this.#facts.applicationProtocols = [found[spoken].alpn];
    }
    return "continue";
  }

  #waitForMore(seen: number): ListenerFilterVerdict {
    if (seen >= inspectedBytesMax) {
      this.#count(readError);
      return "close";
    }
    if (seen >= this.maxReadBytes) this.maxReadBytes = Math.min(2 * seen, inspectedBytesMax);
    return "wait";
  }

  #count(offset: number): void {
    this.#parts.slab.add(this.#parts.stats, offset);
  }
}
