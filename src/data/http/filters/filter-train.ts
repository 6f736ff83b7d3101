/**
 * One direction of one request on its way past the filters: its head, parts of its body, its trailers, one behind the
 * other. Each passes filter after filter; a filter may hold what it was given, and nothing overtakes.
 *
 *   free → buffer → free      the filter sees what follows, and keeps it together
 *        → stop   → free      it waits for a promise; nothing comes to it
 *
 * What a newcomer would get wrong: nearly everything passes at once, and then nothing is copied. Only what is held is.
 */
import type { DataOutcome, FilterReply } from "../../../shared/http-filter/http-filter.ts";
import type { FieldMap } from "./field-map.ts";

type Now = DataOutcome;
export type StepOutcome = Now | Promise<Now>;

/** One filter, as this direction sees it. */
export interface TrainStep {
  readonly name: string;
  head?(isEnd: boolean): StepOutcome;
  data?(bytes: Uint8Array, isEnd: boolean): StepOutcome;
  trailers?(fields: FieldMap): StepOutcome;
}

/** Where it goes, and who is told. */
export interface TrainEnd {
  /** What was held has come past the last filter. */
  onHead(isEnd: boolean): void;
  onData(bytes: Uint8Array, isEnd: boolean): void;
  onTrailers(fields: FieldMap): void;
  onReply(reply: FilterReply, filter: string): void;
  /** A filter has thrown. */
  onFailure(filter: string, error: unknown): void;
  /** More is held than may be. */
  onTooLarge(): void;
  onReadingChanged(on: boolean): void;
  /** At a time when bytes may be sent, the head be parsed. */
  later(act: () => void): void;
}

type Item =
  | { readonly kind: "head"; readonly isEnd: boolean; next: number }
  | { readonly kind: "data"; bytes: Uint8Array; readonly isEnd: boolean; next: number }
  | { readonly kind: "trailers"; readonly fields: FieldMap; next: number };

type Hold = "free" | "buffer" | "stop";

export class FilterTrain {
  readonly #steps: readonly TrainStep[];
  readonly #end: TrainEnd;
  readonly #bytesMax: number;
  readonly #holds: Hold[];
  readonly #items: Item[] = [];
  #isOver = false;
  #isReading = true;
  #isPumping = false;

  /** `bytesMax`: most bytes of bodies held while a filter buffers. */
  constructor(steps: readonly TrainStep[], end: TrainEnd, bytesMax: number) {
    this.#steps = steps;
    this.#end = end;
    this.#bytesMax = bytesMax;
    this.#holds = steps.map(() => "free");
  }

  /** Nothing of it may go on any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** True: it has passed, and `onHead` is not called for it. */
  head(isEnd: boolean): boolean {
    return this.#enter({ kind: "head", isEnd, next: 0 });
  }

  /** True: it has passed as it is, and `onData` is not called for it. Else nothing of `bytes` is needed any more. */
  data(bytes: Uint8Array, isEnd: boolean): boolean {
    const item: Item = { kind: "data", bytes, isEnd, next: 0 };
    if (!this.#enter(item)) return false;
    if (item.bytes === bytes) return true;
    this.#end.onData(item.bytes, isEnd);
    return false;
  }

  trailers(fields: FieldMap): boolean {
    return this.#enter({ kind: "trailers", fields, next: 0 });
  }

  /** Heads of our own wait for nobody: what filters say of them is not heard, but for what they throw. */
  headOfOurs(): void {
    this.end();
    for (const step of this.#steps) {
      try {
        const outcome = step.head?.(true);
        if (outcome instanceof Promise) outcome.catch(() => {});
      } catch {
        // An answer in its place might end in the same filter again.
      }
    }
  }

  end(): void {
    this.#isOver = true;
    this.#items.length = 0;
  }

  #enter(item: Item): boolean {
    if (this.#isOver) return false;
    if (this.#items.length === 0 && this.#advance(item, undefined)) return true;
    if (this.#isOver) return false;
    if (item.kind === "data") item.bytes = new Uint8Array(item.bytes);
    this.#items.push(item);
    this.#pump();
    this.#bound();
    return false;
  }

  /** As far as it may go; true: past the last filter. */
  #advance(item: Item, before: Item | undefined): boolean {
    for (;;) {
      const at = item.next;
      if (at > 0 && this.#holds[at - 1] !== "free") return false;
      if (at === this.#steps.length) return true;
      if (before !== undefined && before.next <= at) return false;
      if (this.#holds[at] === "stop") return false;
      item.next++;
      this.#call(at, item);
      if (this.#isOver) return false;
    }
  }

  #call(at: number, item: Item): void {
    const step = this.#steps[at] as TrainStep;
    try {
      this.#settle(at, item, outcomeOf(step, item, this.#holds[at] === "buffer"));
    } catch (error) {
      this.#fail(step, error);
    }
  }

  #settle(at: number, item: Item, outcome: StepOutcome): void {
    if (outcome instanceof Promise) {
      this.#holds[at] = "stop";
      this.#wait(at, item, outcome);
      return;
    }
    this.#holds[at] = outcome === "buffer" && !isLast(item) ? "buffer" : "free";
    if (outcome === undefined || outcome === "buffer") return;
    if (outcome instanceof Uint8Array) {
      if (item.kind === "data") item.bytes = outcome;
      return;
    }
    this.end();
    this.#end.onReply(outcome, (this.#steps[at] as TrainStep).name);
  }

  #wait(at: number, item: Item, outcome: Promise<Now>): void {
    outcome.then(
      (now) =>
        this.#end.later(() => {
          if (this.#isOver) return;
          this.#settle(at, item, now);
          this.#pump();
        }),
      (error: unknown) =>
        this.#end.later(() => {
          if (!this.#isOver) this.#fail(this.#steps[at] as TrainStep, error);
        }),
    );
  }

  #fail({ name }: TrainStep, error: unknown): void {
    this.end();
    this.#end.onFailure(name, error);
  }

  /** Moves what is held until nothing moves any more. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#moveAll());
    this.#isPumping = false;
    if (!this.#isOver) this.#updateReading();
  }

  #moveAll(): boolean {
    let hasMoved = false;
    let before: Item | undefined;
    // Those that go out leave the list on the way.
    for (const item of this.#items.slice()) {
      const from = item.next;
      const isThrough = this.#advance(item, before);
      if (this.#isOver) return false;
      hasMoved ||= item.next !== from;
      before = item;
      if (!isThrough || this.#items[0] !== item) continue;
      this.#items.shift();
      before = undefined;
      hasMoved = true;
      this.#emit(item);
      if (this.#isOver) return false;
    }
    return hasMoved;
  }

  #emit(item: Item): void {
    if (item.kind === "head") this.#end.onHead(item.isEnd);
    else if (item.kind === "data") this.#end.onData(item.bytes, item.isEnd);
    else this.#end.onTrailers(item.fields);
  }

  get #heldBytes(): number {
    return this.#items.reduce(
      (sum, item) => sum + (item.kind === "data" ? item.bytes.length : 0),
      0,
    );
  }

  #bound(): void {
    if (this.#isOver || !this.#holds.includes("buffer") || this.#heldBytes <= this.#bytesMax)
      return;
    this.end();
    this.#end.onTooLarge();
  }

  #updateReading(): void {
    const isReading = !this.#holds.includes("stop");
    if (isReading === this.#isReading) return;
    this.#isReading = isReading;
    this.#end.onReadingChanged(isReading);
  }
}

/** A filter that keeps a message together says so with every part, also by having nothing to say of it. */
function outcomeOf(step: TrainStep, item: Item, isBuffering: boolean): StepOutcome {
  const silent = isBuffering ? "buffer" : undefined;
  switch (item.kind) {
    case "head":
      return step.head?.(item.isEnd);
    case "data":
      return step.data === undefined ? silent : step.data(item.bytes, item.isEnd);
    case "trailers":
      return step.trailers?.(item.fields);
    default:
      return item satisfies never;
  }
}

function isLast(item: Item): boolean {
  return item.kind === "trailers" || item.isEnd;
}
