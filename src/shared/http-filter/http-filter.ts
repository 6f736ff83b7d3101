/**
 * What an HTTP filter is, for whoever writes one (docs/FILTERS.md). The words are Envoy's: a request is decoded, a
 * response is encoded; requests pass the filters in their order, responses in the reverse.
 *
 * What a newcomer would get wrong: `data` is a view into memory that is written over when the call returns. Copy what
 * you keep.
 */

/** Fields of a head, or trailers. Names are in lower case; values are Latin-1 without line breaks. */
export interface Fields extends Iterable<readonly [name: string, value: string]> {
  /** All values of the name, joined by a comma. */
  get(name: string): string | undefined;
  has(name: string): boolean;
  /** In the place of all that it has. Throws a TypeError for what no head can hold, and for names that are not a filter's. */
  set(name: string, value: string): void;
  /** Beside what it has. Throws as `set`. */
  append(name: string, value: string): void;
  delete(name: string): void;
}

/**
 * Changed before the head goes on, that is what the host is sent. The route stays the one that was found, and rewrites what it
 * finds, unless it is to be found anew. Setters throw a TypeError for what no request line can hold; of CONNECT all three stay.
 */
export interface RequestFields extends Fields {
  /** With the query; it begins with a slash. */
  path: string;
  authority: string;
  /** HEAD and CONNECT are made of nothing else, and nothing else of them: what follows an answer depends on them. */
  method: string;
  /** The route is found anew behind the last filter, by what the head is then; the filters stay. */
  clearRouteCache(): void;
}

export interface ResponseFields extends Fields {
  /** 200 to 599, but 204 and 304: whether there is a body is not a filter's to say. Throws a RangeError otherwise. */
  status: number;
}

/**
 * What METADATA frames carry beside a message (HTTP/2 with `allow_metadata`; Envoy: `MetadataMap`): any Latin-1, and names
 * of any kind. Changed in place; empty it goes no further.
 */
export type Metadata = Map<string, string>;

/** An answer of the filter's own, in the place of what would have come. */
export interface FilterReply {
  readonly status: number;
  readonly body?: string;
  readonly fields?: Readonly<Record<string, string>>;
}

/**
 * Nothing: it goes on. `"buffer"`: it waits here, and what follows of the message comes to this filter, until a call says
 * anything else; at the end of the message it goes on whatever is said. A reply ends the request's way. A promise: nothing
 * more comes until it is settled.
 */
export type Outcome = void | "buffer" | FilterReply;
/** With metadata of the filter's own, it goes on, and that beside it: dropped where the other side takes none. */
export type HeadersOutcome = Outcome | AddedMetadata;
/** Bytes go on in the place of those that came. */
export type DataOutcome = Outcome | Uint8Array | BufferedData;
export type MetadataOutcome = void | FilterReply;
/** Bytes are a last part of the body. */
export type TrailersOutcome = Outcome | Uint8Array;

export interface AddedMetadata {
  readonly metadata: Readonly<Record<string, string>>;
}

/** As `"buffer"`, with these bytes in the place of those that came. */
export interface BufferedData {
  readonly buffered: Uint8Array;
}

export interface HttpFilter {
  /** `isEnd`: there is no body. */
  decodeHeaders?(fields: RequestFields, isEnd: boolean): HeadersOutcome | Promise<HeadersOutcome>;
  /** `isEnd`: that was the message; the last part may be empty. */
  decodeData?(data: Uint8Array, isEnd: boolean): DataOutcome | Promise<DataOutcome>;
  /** They end the message. Without a field left there are none. */
  decodeTrailers?(fields: Fields): TrailersOutcome | Promise<TrailersOutcome>;
  /** As often as it comes, at any place of the message; what is buffered stays so. */
  decodeMetadata?(metadata: Metadata): MetadataOutcome | Promise<MetadataOutcome>;
  /** Also of answers of Sluice's own, which wait for nobody. */
  encodeHeaders?(fields: ResponseFields, isEnd: boolean): HeadersOutcome | Promise<HeadersOutcome>;
  encodeData?(data: Uint8Array, isEnd: boolean): DataOutcome | Promise<DataOutcome>;
  encodeTrailers?(fields: Fields): TrailersOutcome | Promise<TrailersOutcome>;
  /** As `decodeMetadata`; it may come before the response's head. */
  encodeMetadata?(metadata: Metadata): MetadataOutcome | Promise<MetadataOutcome>;
  /** An answer of Sluice's own, before it is written: another one in its place, or nothing. */
  onLocalReply?(reply: FilterReply): FilterReply | void;
  /** The request is over, whatever its end was. Called once. */
  onDestroy?(): void;
}

/** What a filter knows of its request from the beginning. */
export interface RequestFacts {
  readonly method: string;
  /** With the query, as it came. */
  readonly path: string;
  readonly authority: string;
  readonly protocol: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2";
  /** Of the client: `ip:port`. */
  readonly remoteAddress: string;
  /** Empty: it has none. */
  readonly routeName: string;
  /** Where its route leads; empty: to no cluster. */
  readonly clusterName: string;
}

/** Of one filter in one connection manager: makes a filter for each request. */
export interface HttpFilterFactory {
  /** Says that bytes of bodies may change: such a body goes on without a length. */
  readonly changesRequestBody?: boolean;
  readonly changesResponseBody?: boolean;
  create(request: RequestFacts): HttpFilter;
}

/** What a file of `--http-filter` exports as `filter`. */
export interface HttpFilterModule {
  /** The type under which configurations name it. */
  readonly name: string;
  /** What is thrown refuses the configuration, with its message. Called on main and on every worker. */
  configure(config: Readonly<Record<string, unknown>>): HttpFilterFactory;
}
