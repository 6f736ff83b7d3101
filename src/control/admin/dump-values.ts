/** What the sections of `/config_dump` are made of. */
export type Json = Readonly<Record<string, unknown>>;

/** A message in proto names; the server lends it the descriptors. Never throws. */
export type RenderMessage = (typeName: string, bytes: Uint8Array) => Json;

/** One element of a repeated field of a section. */
export interface DumpedResource {
  readonly name: string;
  readonly json: Json;
}

export interface DumpSection {
  readonly type: string;
  /** Scalar fields (`version_info`) and the bootstrap. */
  readonly fields: Json;
  /** Repeated fields, with the message type of their elements. */
  readonly lists: readonly DumpedList[];
}

export interface DumpedList {
  readonly field: string;
  readonly elementType: string;
  readonly resources: readonly DumpedResource[];
}

/** A message as an Any in JSON. */
export function dumpedAny(render: RenderMessage, typeName: string, bytes: Uint8Array): Json {
  return { "@type": `type.googleapis.com/${typeName}`, ...render(typeName, bytes) };
}

/** Of milliseconds since 1970. */
export function timestamp(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
