/**
 * Where the story shows itself. At a terminal the last lines are redrawn in place and what happens
 * scrolls by above them; anywhere else (a pipe, CI) there are only the lines of what happens.
 */
export interface StoryScreen extends Disposable {
  /** Something happened: stays. */
  say(line: string): void;
  /** What is true now: replaces what was said to be true before. */
  show(lines: readonly string[]): void;
}

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export function openScreen(output: Output): StoryScreen {
  return output.isTTY === true ? new TerminalScreen(output) : plainScreen(output);
}

function plainScreen(output: Output): StoryScreen {
  return {
    say: (line) => void output.write(`${line}\n`),
    show: () => {},
    [Symbol.dispose]: () => {},
  };
}

const hideCursor = "\u001B[?25l";
const showCursor = "\u001B[?25h";
const eraseBelow = "\u001B[J";
const eraseAll = "\u001B[2J\u001B[H";

class TerminalScreen implements StoryScreen {
  readonly #output: Output;
  #lines: readonly string[] = [];
  /** Of the terminal when the lines were drawn. */
  #width = 0;

  constructor(output: Output) {
    this.#output = output;
    output.write(hideCursor);
  }

  say(line: string): void {
    this.#output.write(`${this.#erase()}${line}\n${this.#draw()}`);
  }

  show(lines: readonly string[]): void {
    const erase = this.#erase();
    this.#lines = lines;
    this.#output.write(erase + this.#draw());
  }

  /** The last picture stays, and the prompt comes below it. */
  [Symbol.dispose](): void {
    this.#lines = [];
    this.#output.write(showCursor);
  }

  #erase(): string {
    // Whoever made the terminal narrower has wrapped our lines: there is no telling how many they are now.
    if (this.#width !== 0 && this.#width !== widthOf(this.#output)) return eraseAll;
    return this.#lines.length === 0 ? "" : `\u001B[${this.#lines.length}A\r${eraseBelow}`;
  }

  #draw(): string {
    const width = widthOf(this.#output);
    this.#width = width;
    // A line that wraps would take two, and the count of lines to go up would be wrong.
    return this.#lines.map((line) => `${truncated(line, width)}\n`).join("");
  }
}

/** A terminal that does not know its size says 0. */
function widthOf({ columns }: Output): number {
  return columns || 80;
}

const escape = "\u001B";
const colour = new RegExp(`(${escape}\\[[\\d;]*m)`);

/** Cuts to so many visible characters; colour sequences take no room. */
export function truncated(line: string, width: number): string {
  let visible = 0;
  let result = "";
  for (const part of line.split(colour)) {
    if (part.startsWith("\u001B")) {
      result += part;
      continue;
    }
    const room = Math.max(0, width - visible);
    result += part.slice(0, room);
    visible += part.length;
  }
  return result;
}
