/**
 * Log lines in spdlog's pattern syntax, the flags that Envoy's users write
 * (https://github.com/gabime/spdlog/wiki/3.-Custom-formatting). What a record does not hold (source file
 * and line) is printed as `-`, an unknown flag as it stands.
 */
import type { LogRecord } from "../../shared/common/log.ts";

export type FormatLine = (record: LogRecord) => string;

type Part = string | ((record: LogRecord, time: Date) => string);

const two = (value: number): string => String(value).padStart(2, "0");
const three = (value: number): string => String(value).padStart(3, "0");
const clock = (time: Date): string =>
  `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;

/** Local time, as spdlog and so Envoy have it. */
const flags: Readonly<Record<string, Exclude<Part, string>>> = {
  Y: (_, time) => String(time.getFullYear()),
  m: (_, time) => two(time.getMonth() + 1),
  d: (_, time) => two(time.getDate()),
  D: (_, time) =>
    `${two(time.getMonth() + 1)}/${two(time.getDate())}/${two(time.getFullYear() % 100)}`,
  H: (_, time) => two(time.getHours()),
  M: (_, time) => two(time.getMinutes()),
  S: (_, time) => two(time.getSeconds()),
  T: (_, time) => clock(time),
  X: (_, time) => clock(time),
  e: (_, time) => three(time.getMilliseconds()),
  f: (_, time) => `${three(time.getMilliseconds())}000`,
  F: (_, time) => `${three(time.getMilliseconds())}000000`,
  E: (_, time) => String(Math.floor(time.getTime() / 1000)),
  z: (_, time) => zone(-time.getTimezoneOffset()),
  t: (record) => record.thread,
  P: () => String(process.pid),
  n: (record) => record.component,
  l: (record) => record.level,
  L: (record) => record.level.slice(0, 1).toUpperCase(),
  v: (record) => record.message,
  // Envoy's own: the message with line ends escaped, and as the inside of a JSON string.
  _: (record) => escapeControls(record.message),
  j: (record) => JSON.stringify(record.message).slice(1, -1),
  g: () => "-",
  s: () => "-",
  "#": () => "-",
  "!": () => "-",
  "@": () => "-",
  "%": () => "%",
  // Colour on and off: never, the sink may be a file.
  "^": () => "",
  $: () => "",
};

export function compileLogFormat(format: string, isEscaped: boolean): FormatLine {
  const parts = [...format.matchAll(/%(?<flag>.)|[^%]+|%/gs)].map((match): Part => {
    const flag = match.groups?.["flag"];
    return flag === undefined ? match[0] : (flags[flag] ?? match[0]);
  });
  return (record) => {
    const shown = isEscaped ? { ...record, message: escapeControls(record.message) } : record;
    const time = new Date(record.timeMs);
    return `${parts.map((part) => (typeof part === "string" ? part : part(shown, time))).join("")}\n`;
  };
}

const escapes: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\0": "\\0",
};

function escapeControls(text: string): string {
  return text.replaceAll(/[\n\r\t\v\0]/g, (character) => escapes[character] ?? character);
}

function zone(offsetMinutes: number): string {
  const minutes = Math.abs(offsetMinutes);
  const sign = offsetMinutes < 0 ? "-" : "+";
  return `${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
