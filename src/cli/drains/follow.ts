/**
 * Follows drains to their end, or for ever. At a terminal they are drawn in place, counting down; elsewhere each
 * beginning and each end is a line, so that it can be logged; as JSON each change is.
 */
import type { Palette } from "../palette.ts";
import { openScreen } from "../story/terminal-screen.ts";
import { type DrainJson, type DrainsJson, hasSurvivors, isUnderWay } from "./drain-json.ts";
import { drainLine } from "./drains-view.ts";
import { liveLines } from "./live-view.ts";

const redrawMs = 500;

export interface FollowOptions {
  readonly events: AsyncIterable<DrainsJson>;
  readonly output: {
    write(text: string): unknown;
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
  readonly palette: Palette;
  readonly json: boolean;
  /** One drain alone; undefined: all. */
  readonly id: number | undefined;
  /** Stop when all that were under way at first have ended. */
  readonly untilDone: boolean;
  readonly now: () => number;
}

/**
 * `done`: all that were awaited have ended. `survivors`: so have they, but connections were still there at the end of
 * some. `gone`: the proxy ended first.
 */
export type FollowOutcome = "done" | "survivors" | "gone";

export async function followDrains(options: FollowOptions): Promise<FollowOutcome> {
  using display = options.json ? jsonLines(options) : picture(options);
  const progress = new Progress();
  for await (const { drains: all } of options.events) {
    const { id } = options;
    const drains = id === undefined ? all : all.filter((drain) => drain.id === id);
    progress.see(drains);
    display.show(drains);
    if (options.untilDone && progress.isDone) return progress.outcome;
  }
  return "gone";
}

interface Display extends Disposable {
  show(drains: readonly DrainJson[]): void;
}

function jsonLines({ output }: FollowOptions): Display {
  return {
    show: (drains) => void output.write(`${JSON.stringify({ drains })}\n`),
    [Symbol.dispose]: () => {},
  };
}

function picture({ output, palette, now }: FollowOptions): Display {
  const screen = openScreen(output);
  /** The state that was said last, by drain. */
  const told = new Map<number, string>();
  let underWay: readonly DrainJson[] = [];
  const draw = (): void => {
    const { columns, rows } = output;
    // A terminal that does not know its size says 0.
    const frame = { nowMs: now(), columns: columns || 80, rows: rows || 24, palette };
    screen.show(liveLines(underWay, frame));
  };
  const tell = (drain: DrainJson): void => {
    if (told.get(drain.id) !== drain.state) screen.say(drainLine(drain));
    if (isUnderWay(drain)) told.set(drain.id, drain.state);
    else told.delete(drain.id);
  };
  const timer = setInterval(draw, redrawMs);
  return {
    show(drains) {
      underWay = drains.filter(isUnderWay);
      for (const drain of drains) tell(drain);
      draw();
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      screen[Symbol.dispose]();
    },
  };
}

/** Which are still waited for, and what became of the others. */
class Progress {
  #awaited: Set<number> | undefined;
  #hasSurvivors = false;

  get isDone(): boolean {
    return this.#awaited?.size === 0;
  }

  get outcome(): FollowOutcome {
    return this.#hasSurvivors ? "survivors" : "done";
  }

  see(drains: readonly DrainJson[]): void {
    this.#awaited ??= new Set(drains.filter(isUnderWay).map(({ id }) => id));
    for (const drain of drains)
      if (!isUnderWay(drain) && this.#awaited.delete(drain.id) && hasSurvivors(drain))
        this.#hasSurvivors = true;
  }
}
