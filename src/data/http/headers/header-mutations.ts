/**
 * `request_headers_to_add` and its three siblings, compiled. They act on the head that was parsed last:
 * fields of the table are dropped, new ones join the extra fields (docs: configuration/http/http_conn_man/headers).
 *
 * Removals come before additions within one level, and the route's level before the virtual host's before
 * the table's, as in Envoy: a later level overwrites an earlier one.
 */
import type { HeaderMutations } from "../../../shared/config/route-config.ts";
import { parseCommandFormat } from "../../../shared/config/command-format.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import { compileText, type Formatter } from "../access-log/format.ts";
import { HeaderName, findHeader, headers } from "../http1/header-table.ts";
import type { ExtraFields } from "./extra-fields.ts";

type Action = HeaderMutations["add"][number]["action"];

interface Addition {
  readonly name: HeaderName;
  readonly action: Action;
  readonly value: Formatter;
}

/** Changes the head that was parsed last, and the fields beside it. */
export interface HeadChange {
  apply(bytes: Uint8Array, extra: ExtraFields, info: StreamInfo): void;
}

export class CompiledMutations implements HeadChange {
  readonly #removals: readonly HeaderName[];
  readonly #additions: readonly Addition[];

  constructor(mutations: HeaderMutations) {
    this.#removals = mutations.remove.map((name) => new HeaderName(name.toLowerCase()));
    this.#additions = mutations.add.map(({ name, value, action }) => ({
      name: new HeaderName(name.toLowerCase()),
      action,
      value: compileValue(value),
    }));
  }

  apply(bytes: Uint8Array, extra: ExtraFields, info: StreamInfo): void {
    for (const name of this.#removals) remove(bytes, extra, name);
    for (const addition of this.#additions) add(bytes, extra, addition, info);
  }
}

/** The levels that change something, in order of application. */
export function compileLevels(levels: readonly HeaderMutations[]): readonly CompiledMutations[] {
  return levels
    .filter((level) => level.add.length > 0 || level.remove.length > 0)
    .map((level) => new CompiledMutations(level));
}

/** Names of request headers that values of these mutations print (`%REQ(name)%`). */
export function requestHeadersUsed(mutations: HeaderMutations): readonly string[] {
  return mutations.add.flatMap(({ value }) => {
    const format = parseCommandFormat(value);
    return format.ok ? format.parts.flatMap(requestHeadersOf) : [];
  });
}

export function requestHeadersOf(part: {
  readonly kind: string;
  readonly name?: string;
  readonly args?: readonly string[];
}): readonly string[] {
  return part.name === "REQ" || part.name === "REQ_WITHOUT_QUERY" ? (part.args ?? []) : [];
}

/** Empty values are not added, so a missing header prints nothing. Main judged the format. */
function compileValue(value: string): Formatter {
  const format = parseCommandFormat(value);
  return format.ok ? compileText(format.parts, "") : () => value;
}

function add(bytes: Uint8Array, extra: ExtraFields, addition: Addition, info: StreamInfo): void {
  const { name, action } = addition;
  const value = singleLine(addition.value(info));
  if (value === "") return;
  const exists = hasField(bytes, extra, name);
  if (action === "addIfAbsent" && exists) return;
  if (action === "overwriteIfExists" && !exists) return;
  if (action === "overwrite" || action === "overwriteIfExists") remove(bytes, extra, name);
  extra.add(name.text, value);
}

export function hasField(bytes: Uint8Array, extra: ExtraFields, name: HeaderName): boolean {
  return extra.has(name.text) || findHeader(bytes, name) >= 0;
}

/** In the place of all values that it has. */
export function setField(
  bytes: Uint8Array,
  extra: ExtraFields,
  name: HeaderName,
  value: string,
): void {
  remove(bytes, extra, name);
  extra.add(name.text, value);
}

function remove(bytes: Uint8Array, extra: ExtraFields, name: HeaderName): void {
  extra.remove(name.text);
  for (let i = findHeader(bytes, name); i >= 0; i = findHeader(bytes, name, i + 1)) {
    headers.isDropped[i] = 1;
  }
}

/** A value never breaks the head it is written into. */
function singleLine(value: string): string {
  return value.replaceAll(/[\r\n\0]/g, "");
}
