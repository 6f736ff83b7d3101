/**
 * A filter of `--http-filter` for tests: what it does is said in its configuration, and it says in fields what it saw.
 * `global` counts over all requests of a worker.
 */
import type {
  DataOutcome,
  Fields,
  HttpFilter,
  HeadersOutcome,
  HttpFilterModule,
  Metadata,
  MetadataOutcome,
  Outcome,
  RequestFacts,
  RequestFields,
  ResponseFields,
} from "../../src/shared/http-filter/http-filter.ts";

export interface TestFilterConfig {
  /** Added to `x-decoded` and `x-encoded`. */
  readonly mark?: string;
  readonly does?: string;
  /** What the request becomes. */
  readonly line?: { readonly path?: string; readonly authority?: string; readonly method?: string };
  readonly clearsRoute?: boolean;
  /** The callback that throws. */
  readonly throws?: string;
}

let destroyed = 0;

const later = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 5));

class TestFilter implements HttpFilter {
  readonly #config: TestFilterConfig;
  readonly #facts: RequestFacts;
  #request: Fields | undefined;
  #response: ResponseFields | undefined;
  #bytes = 0;
  readonly #requestEnd = Promise.withResolvers<void>();

  constructor(config: TestFilterConfig, facts: RequestFacts) {
    this.#config = config;
    this.#facts = facts;
  }

  decodeHeaders(fields: RequestFields, isEnd: boolean): HeadersOutcome | Promise<HeadersOutcome> {
    const { mark, does } = this.#config;
    this.#called("decodeHeaders");
    this.#request = fields;
    if (mark !== undefined) fields.append("x-decoded", mark);
    Object.assign(fields, this.#config.line);
    if (this.#config.clearsRoute === true) fields.clearRouteCache();
    switch (does ?? "") {
      case "deny":
        return { status: 403, body: "denied", fields: { "x-why": "because" } };
      case "denyLater":
        return later().then(() => ({ status: 403, body: "denied later" }));
      case "waitForRequest":
        return later().then(() => fields.set("x-waited", "yes"));
      case "bufferRequest":
        return isEnd ? undefined : "buffer";
      case "addMetadata":
        return { metadata: { added: "by a request" } };
      case "badField":
        fields.set("content-length", "3");
        return;
      case "facts":
        fields.set("x-facts", `${this.#facts.method} ${this.#facts.path} ${this.#facts.protocol}`);
        return;
      default:
        return;
    }
  }

  decodeData(data: Uint8Array, isEnd: boolean): DataOutcome | Promise<DataOutcome> {
    this.#called("decodeData");
    this.#bytes += data.length;
    if (isEnd) this.#requestEnd.resolve();
    switch (this.#config.does ?? "") {
      case "bufferRequest":
        if (!isEnd) return "buffer";
        this.#request?.set("x-length", String(this.#bytes));
        return;
      case "upperRequest":
        return upper(data);
      case "waitForData":
        return later();
      default:
        return;
    }
  }

  decodeTrailers(fields: Fields): Outcome {
    this.#called("decodeTrailers");
    if (this.#config.does === "bufferRequest") this.#request?.set("x-length", String(this.#bytes));
    if (this.#config.does === "trailers") fields.set("x-decoded-trailer", "seen");
  }

  encodeHeaders(fields: ResponseFields, isEnd: boolean): HeadersOutcome | Promise<HeadersOutcome> {
    const { mark, does } = this.#config;
    this.#called("encodeHeaders");
    this.#response = fields;
    this.#bytes = 0;
    if (mark !== undefined) fields.append("x-encoded", mark);
    fields.set("x-destroyed", String(destroyed));
    switch (does ?? "") {
      case "waitForResponse":
        return later().then(() => fields.set("x-waited", "yes"));
      case "bufferResponse":
        return isEnd ? undefined : "buffer";
      case "holdResponse":
        return this.#requestEnd.promise;
      case "addMetadata":
        return { metadata: { added: "by a response" } };
      case "denyResponse":
        return { status: 502, body: "not that" };
      default:
        return;
    }
  }

  encodeData(data: Uint8Array, isEnd: boolean): DataOutcome | Promise<DataOutcome> {
    this.#called("encodeData");
    this.#bytes += data.length;
    switch (this.#config.does ?? "") {
      case "bufferResponse":
        if (!isEnd) return "buffer";
        this.#finishResponse();
        return;
      case "upperResponse":
        return upper(data);
      case "waitForData":
        return later();
      default:
        return;
    }
  }

  encodeTrailers(fields: Fields): Outcome {
    this.#called("encodeTrailers");
    if (this.#config.does === "bufferResponse") this.#finishResponse();
    if (this.#config.does === "trailers") fields.set("x-encoded-trailer", "seen");
  }

  decodeMetadata(metadata: Metadata): MetadataOutcome | Promise<MetadataOutcome> {
    return this.#onMetadata("decodeMetadata", metadata);
  }

  encodeMetadata(metadata: Metadata): MetadataOutcome | Promise<MetadataOutcome> {
    return this.#onMetadata("encodeMetadata", metadata);
  }

  #onMetadata(name: string, metadata: Metadata): MetadataOutcome | Promise<MetadataOutcome> {
    const { mark, does } = this.#config;
    this.#called(name);
    metadata.delete("secret");
    if (metadata.size === 0) return;
    if (mark !== undefined) metadata.set("marks", (metadata.get("marks") ?? "") + mark);
    if (does === "denyMetadata") return { status: 403, body: "no metadata" };
    if (does === "badMetadata") metadata.set("smile", "\u263a");
    if (does === "waitForMetadata") return later();
  }

  onDestroy(): void {
    destroyed++;
    this.#called("onDestroy");
  }

  #finishResponse(): void {
    const response = this.#response;
    if (response === undefined) return;
    response.set("x-length", String(this.#bytes));
    response.status = 203;
  }

  #called(name: string): void {
    if (this.#config.throws === name) throw new Error(`${name} was told to`);
  }
}

function upper(data: Uint8Array): Uint8Array {
  return data.map((byte) => (byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte));
}

export const filter: HttpFilterModule = {
  name: "test.filter",
  configure(config: TestFilterConfig) {
    return {
      changesRequestBody: config.does === "upperRequest",
      changesResponseBody: config.does === "upperResponse",
      create: (facts) => {
        if (config.throws === "create") throw new Error("create was told to");
        return new TestFilter(config, facts);
      },
    };
  },
};
