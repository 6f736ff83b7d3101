/** The picture of a running story as lines of text: pure, so that it can be tested. */
import { colours } from "../palette.ts";
import type { DrainShown } from "./admin-client.ts";
import type { Lane } from "./traffic.ts";

export interface StoryPicture {
  readonly step: string;
  readonly elapsedS: number;
  /** Names of the listeners that the proxy has active. */
  readonly active: readonly string[];
  readonly drains: readonly DrainShown[];
  readonly lanes: readonly (Readonly<Lane> & { readonly perSecond: number })[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly adminAddress: string;
}

const { dim, bold, green, yellow, red } = colours;

const barWidth = 20;

export function picture(story: StoryPicture): readonly string[] {
  const made = story.lanes.reduce((sum, lane) => sum + lane.made, 0);
  const failed = story.lanes.reduce((sum, lane) => sum + lane.failed, 0);
  const drains = story.drains.filter(({ state }) => state === "draining");
  return [
    "",
    bold(`${story.step}  ${dim(`${story.elapsedS.toFixed(0)} s`)}`),
    `  ${made} requests, ${failed === 0 ? green("0 failed") : red(`${failed} failed`)}`,
    "",
    dim(
      `  ${"listener".padEnd(12)}${"state".padEnd(10)}${"requests/s".padStart(11)}${"failed".padStart(8)}${"in flight".padStart(11)}`,
    ),
    ...listenerNames(story).map((name) => listenerLine(story, name)),
    "",
    dim(`  drains under way: ${drains.length}`),
    ...drains.map((drain) => drainLine(drain, story.nowMs)),
    dim(`  curl http://${story.adminAddress}/drains`),
  ];
}

/** Active ones, those that only drain, and those with traffic that are neither. */
function listenerNames(story: StoryPicture): readonly string[] {
  const draining = story.drains.flatMap(({ listener, state }) =>
    listener !== null && state === "draining" ? [listener] : [],
  );
  const laden = story.lanes.filter(({ isStopped }) => !isStopped).map(({ name }) => name);
  return [...new Set([...story.active, ...draining, ...laden])];
}

function listenerLine(story: StoryPicture, name: string): string {
  const lane = story.lanes.find((one) => one.name === name);
  const isDraining = story.drains.some(
    ({ listener, state }) => listener === name && state === "draining",
  );
  const state = story.active.includes(name)
    ? green("active".padEnd(10))
    : isDraining
      ? yellow("draining".padEnd(10))
      : "absent".padEnd(10);
  const numbers = lane
    ? [
        lane.perSecond.toFixed(0).padStart(11),
        String(lane.failed).padStart(8),
        String(lane.inFlight).padStart(11),
      ]
    : [];
  return `  ${name.padEnd(12)}${state}${numbers.join("")}`;
}

function drainLine(drain: DrainShown, nowMs: number): string {
  const { at_start: atStart, remaining } = drain.connections;
  const leftS = Math.max(0, (Date.parse(drain.deadline) - nowMs) / 1000);
  const filled = atStart === 0 ? 0 : Math.round((remaining / atStart) * barWidth);
  const bar = yellow("█".repeat(filled)) + dim("░".repeat(barWidth - filled));
  const what = drain.listener ?? "the whole server";
  return `  ${what.padEnd(12)}${bar} ${remaining} of ${atStart} connections left, ${leftS.toFixed(1)} s to go ${dim(`(${drain.cause})`)}`;
}
