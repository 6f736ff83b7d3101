/** `GET /status` as a table for people; what is wrong stands out by its state and its reason. */
import { ageText } from "../age.ts";
import { tableLines } from "../table.ts";

/** As far as the table shows it. */
export interface StatusJson {
  readonly control_planes: readonly {
    readonly server: string;
    readonly identifier: string;
    readonly stream: string;
    readonly reason?: string;
    readonly types: readonly {
      readonly type: string;
      readonly version: string;
      readonly nack: { readonly version: string } | null;
    }[];
  }[];
  readonly resources: readonly {
    readonly type: string;
    readonly name: string;
    readonly version: string;
    readonly source: string | null;
    readonly answer: string | null;
    readonly state: string;
    readonly since: string | null;
    readonly awaiting: readonly string[];
    readonly reason: string | null;
  }[];
}

type Resource = StatusJson["resources"][number];

const answers: Readonly<Record<string, string>> = { acked: "ACKed", nacked: "NACKed" };
const headings = ["TYPE", "NAME", "VERSION", "ANSWER", "STATE", "SINCE", "WHY"];

/** `nowMs`: the wall clock, for ages. */
export function statusLines(status: StatusJson, nowMs: number): readonly string[] {
  return [
    ...status.control_planes.flatMap(planeLines),
    ...(status.control_planes.length > 0 ? [""] : []),
    ...tableLines(
      headings,
      status.resources.map((resource) => cells(resource, nowMs)),
    ),
    "",
    summary(status.resources),
  ];
}

function planeLines(plane: StatusJson["control_planes"][number]): readonly string[] {
  const { server, identifier, stream, reason, types } = plane;
  const name = identifier === "" ? server : `${server} (${identifier})`;
  const versions = types.map(({ type, version, nack }) => {
    const refused = nack ? `, NACKed ${nack.version || "-"}` : "";
    return `${type} ${version || "-"}${refused}`;
  });
  return [
    `${name}: ${stream}${reason === undefined ? "" : `, ${oneLine(reason)}`}`,
    ...(versions.length > 0 ? [`  accepted: ${versions.join("; ")}`] : []),
  ];
}

function cells(resource: Resource, nowMs: number): readonly string[] {
  const { type, name, version, answer, source, state, since, awaiting, reason } = resource;
  const isFixed = source === "bootstrap";
  const why = [
    ...(awaiting.length > 0 ? [`waits for ${awaiting.join(", ")}`] : []),
    ...(reason === null ? [] : [oneLine(reason)]),
  ];
  return [
    type,
    name || "-",
    version || "-",
    isFixed ? "bootstrap" : answer === null ? "-" : (answers[answer] ?? answer),
    state === "nacked" ? "NACKed" : state,
    since === null ? "-" : ageText(nowMs - Date.parse(since)),
    why.join("; "),
  ];
}

function summary(resources: readonly Resource[]): string {
  const counts = new Map<string, number>();
  for (const { state } of resources) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) => `${count} ${state}`);
  return parts.length === 0 ? "no resources" : parts.join(", ");
}

/** A reason that came over the network must not draw on the terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
}
