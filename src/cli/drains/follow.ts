/**
 * Follows drains to their end, or for ever. At a terminal the table counts down in place; elsewhere each beginning
 * and each end is a line, so that it can be logged.
 */
import { openScreen } from "../story/terminal-screen.ts";
import {
  type DrainJson,
  type DrainsJson,
  drainLine,
  drainTable,
  isUnderWay,
} from "./drains-view.ts";

const redrawMs = 500;

export interface FollowOptions {
  readonly events: AsyncIterable<DrainsJson>;
  readonly output: {
    write(text: string): unknown;
    readonly isTTY?: boolean;
    readonly columns?: number;
  };
  /** Stop when all that were under way at first have ended. */
  readonly untilDone: boolean;
  readonly now: () => number;
}

/**
 * `done`: all that were awaited have ended. `survivors`: so have they, but connections outlived some. `gone`: the
 * proxy ended first.
 */
export type FollowOutcome = "done" | "survivors" | "gone";

export async function followDrains(options: FollowOptions): Promise<FollowOutcome> {
  const { events, output, untilDone, now } = options;
  using screen = openScreen(output);
  const progress = new Progress((line) => screen.say(line));
  const draw = (): void => screen.show(drainTable(progress.underWay, now()));
  const timer = setInterval(draw, redrawMs);
  try {
    for await (const { drains } of events) {
      progress.see(drains);
      draw();
      if (untilDone && progress.isDone) return progress.hasSurvivors ? "survivors" : "done";
    }
    return "gone";
  } finally {
    clearInterval(timer);
  }
}

/** What has been said of which drain, and which are still waited for. */
class Progress {
  underWay: readonly DrainJson[] = [];
  hasSurvivors = false;
  readonly #say: (line: string) => void;
  readonly #told = new Map<number, string>();
  #awaited: Set<number> | undefined;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  get isDone(): boolean {
    return this.#awaited?.size === 0;
  }

  see(drains: readonly DrainJson[]): void {
    this.underWay = drains.filter(isUnderWay);
    this.#awaited ??= new Set(this.underWay.map(({ id }) => id));
    for (const drain of drains) this.#tell(drain);
    for (const drain of drains) if (!isUnderWay(drain)) this.#end(drain);
  }

  #tell(drain: DrainJson): void {
    if (this.#told.get(drain.id) !== drain.state) this.#say(drainLine(drain));
    this.#told.set(drain.id, drain.state);
  }

  #end({ id, state }: DrainJson): void {
    this.#told.delete(id);
    if (this.#awaited?.delete(id) && state === "expired") this.hasSurvivors = true;
  }
}
