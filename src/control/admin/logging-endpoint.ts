/** `/logging`: shows and changes log levels while the process runs; every thread follows at once. */
import {
  type LogComponent,
  type LogLevel,
  logComponents,
  logLevels,
} from "../../shared/common/log.ts";
import { type AdminEndpoint, type AdminResponse, textResponse } from "./endpoint.ts";

export interface LogLevelControl {
  level(component: LogComponent): LogLevel;
  setLevel(component: LogComponent, level: LogLevel): void;
}

const usage = [
  "usage: /logging?<name>=<level> (change single level)",
  "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)",
  "usage: /logging?level=<level> (change all levels)",
  `levels: ${logLevels.join(" ")} `,
  "",
].join("\n");

export function loggingEndpoint(control: LogLevelControl): AdminEndpoint {
  return {
    path: "/logging",
    isMutation: true,
    help: "query/change logging levels",
    parameters: [
      { name: "paths", help: "Change several: <name1>:<level1>,<name2>:<level2>" },
      { name: "level", help: "Change all", oneOf: logLevels },
    ],
    handle({ query }) {
      const changes = changesOf([...query]);
      if (typeof changes === "string") return refused(changes);
      for (const { component, level } of changes) control.setLevel(component, level);
      const lines = logComponents.map((name) => `  ${name}: ${control.level(name)}\n`);
      return textResponse(`active loggers:\n${lines.join("")}\n`);
    },
  };
}

interface LevelChange {
  readonly component: LogComponent;
  readonly level: LogLevel;
}

/** All changes or the reason why there are none: half of a request is never applied. */
function changesOf(query: readonly (readonly [string, string])[]): readonly LevelChange[] | string {
  if (query.length > 1) return "invalid parameters";
  const [parameter] = query;
  if (!parameter) return [];
  const [name, value] = parameter;
  const pairs: readonly (readonly [string, string])[] =
    name === "level"
      ? logComponents.map((component) => [component, value] as const)
      : name === "paths"
        ? value.split(",").map(pairOf)
        : [[name, value]];
  const changes: LevelChange[] = [];
  for (const [componentName, levelName] of pairs) {
    const level = logLevels.find((known) => known === levelName);
    if (!level) return "unknown logger level";
    const component = logComponents.find((known) => known === componentName);
    if (!component) return "unknown logger name";
    changes.push({ component, level });
  }
  return changes;
}

function pairOf(text: string): readonly [string, string] {
  const colon = text.lastIndexOf(":");
  return colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
}

function refused(reason: string): AdminResponse {
  return textResponse(`error: ${reason}\n\n${usage}`, 400);
}
