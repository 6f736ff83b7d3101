/**
 * Reads Envoy's format strings, `text %OPERATOR(args):length% text`, into parts. Used by main to judge
 * access logs and header values, by workers to compile the values of header mutations.
 */
import type { AccessLogPart } from "./access-log-config.ts";
import { isAccessLogOperator, takesHeaderNames } from "./access-log-operators.ts";

export type CommandFormat =
  | { readonly ok: true; readonly parts: readonly AccessLogPart[] }
  | { readonly ok: false; readonly error: string };

/** Name, what is in parentheses, length. A percent sign of a strftime format may stand in parentheses. */
const operator = /^%([A-Z][A-Z0-9_]*)(?:\(([^)]*)\))?(?::(\d+))?%/;

/** `%%` is a percent sign. Fails at the first operator that is malformed or not built. */
export function parseCommandFormat(format: string): CommandFormat {
  const parts: AccessLogPart[] = [];
  let literal = "";
  let at = 0;
  const flush = (): void => {
    if (literal !== "") parts.push({ kind: "literal", text: literal });
    literal = "";
  };
  while (at < format.length) {
    if (format[at] !== "%") {
      literal += format[at++];
    } else if (format[at + 1] === "%") {
      literal += "%";
      at += 2;
    } else {
      const match = operator.exec(format.slice(at));
      const part = match === null ? undefined : operatorPart(match);
      if (part === undefined) return { ok: false, error: problemAt(format, at) };
      flush();
      parts.push(part);
      at += match?.[0].length ?? 1;
    }
  }
  flush();
  return { ok: true, parts };
}

function operatorPart(match: RegExpExecArray): AccessLogPart | undefined {
  const [, name = "", args, length] = match;
  if (!isAccessLogOperator(name)) return undefined;
  if (takesHeaderNames(name) && (args ?? "") === "") return undefined;
  if (name === "GRPC_STATUS" && !grpcStatusForms.has(args ?? "")) return undefined;
  return {
    kind: "operator",
    name,
    args: splitArgs(name, args),
    maxLength: length === undefined ? undefined : Number(length),
  };
}

/** Docs: "CAMEL_STRING" is the default. */
const grpcStatusForms: ReadonlySet<string> = new Set([
  "",
  "CAMEL_STRING",
  "SNAKE_STRING",
  "NUMBER",
]);

function splitArgs(name: string, args: string | undefined): readonly string[] {
  if (args === undefined || args === "") return [];
  return takesHeaderNames(name) ? args.toLowerCase().split("?") : [args];
}

function problemAt(format: string, at: number): string {
  const name = /^%([A-Za-z0-9_]*)/.exec(format.slice(at))?.[1] ?? "";
  return `Not supported field in format string: '%${name}' at position ${at} of '${format}'`;
}
