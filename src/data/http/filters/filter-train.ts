/**
 * One direction of one request on its way past the filters: its head, parts of its body, its trailers, one behind the
 * other. Each passes filter after filter; a filter may hold what it was given, and nothing overtakes.
 *
 *   free → buffer → free      the filter sees what follows, and keeps it together
 *        → stop   → free      it waits for a promise; nothing comes to it
 *
 * What a newcomer would get wrong: nearly everything passes at once, and then nothing is copied. Only what is held is.
 */
import type {
  DataOutcome,
  FilterReply,
  HeadersOutcome,
  Metadata,
  TrailersOutcome,
} from "../../../shared/http-filter/http-filter.ts";
import type { FieldMap } from "./field-map.ts";

type Now = HeadersOutcome | DataOutcome | TrailersOutcome;
export type StepOutcome = Now | Promise<Now>;

/** The filters, as this direction calls them: `at` is a place in its order. */
export interface TrainSteps {
  readonly count: number;
  /** Any of them looks at parts of bodies. */
  readonly seeData: boolean;
  nameOf(at: number): string;
  head(at: number, isEnd: boolean): StepOutcome;
  /** `silent`: what one says that does not look at them. */
  data(at: number, item: DataItem, silent: StepOutcome): StepOutcome;
  trailers(at: number, fields: FieldMap): StepOutcome;
  metadata(at: number, metadata: Metadata): StepOutcome;
}

export interface DataItem {
  readonly bytes: Uint8Array;
  readonly isEnd: boolean;
}

/** Where it goes, and who is told. */
export interface TrainEnd {
  /** What was held has come past the last filter. `length`: of its body, where all of that has, and no trailers. */
  onHead(isEnd: boolean, length: number | undefined): void;
  onData(bytes: Uint8Array, isEnd: boolean): void;
  onTrailers(fields: FieldMap): void;
  /** Of a head that has passed at once it may come before the head is out. */
  onMetadata(metadata: Metadata): void;
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
  | { readonly kind: "metadata"; readonly metadata: Metadata; next: number }
  /** `front`: a part of the body that a filter has put in front of them. */
  | { readonly kind: "trailers"; readonly fields: FieldMap; next: number; front?: Uint8Array };

/** Any at all: METADATA is no head. */
const latin1Pattern = /^[\0-\xff]*$/;

type Hold = "free" | "buffer" | "stop";

export class FilterTrain {
  readonly #steps: TrainSteps;
  readonly #end: TrainEnd;
  readonly #holds: Hold[] = [];
  readonly #items: Item[] = [];
  #bytesMax = 0;
  #isOver = true;
  #isReading = true;
  #isPumping = false;
  /** Of messages, to know promises of one that is over. */
  #run = 0;

  constructor(steps: TrainSteps, end: TrainEnd) {
    this.#steps = steps;
    this.#end = end;
  }

  /** Another message, past the steps of this moment. `bytesMax`: most bytes of bodies held while a filter buffers. */
  begin(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#run++;
    this.#isOver = false;
    this.#isReading = true;
    for (let at = 0; at < this.#steps.count; at++) this.#holds[at] = "free";
    this.#holds.length = this.#steps.count;
  }

  /** Nothing of it may go on any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Parts of the body go on as they are: nobody looks, and nothing is held. */
  get passesData(): boolean {
    if (this.#isOver || this.#steps.seeData || this.#items.length > 0) return false;
    for (const hold of this.#holds) if (hold !== "free") return false;
    return true;
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

  /** They go on by `onTrailers`, if not here and now then later. */
  trailers(fields: FieldMap): void {
    if (this.#isOver) return;
    this.#items.push({ kind: "trailers", fields, next: 0 });
    this.#pump();
  }

  /** It goes on by `onMetadata`, if not here and now then later. */
  metadata(metadata: Metadata): void {
    if (this.#isOver) return;
    this.#items.push({ kind: "metadata", metadata, next: 0 });
    this.#pump();
  }

  /** Heads of our own wait for nobody: what filters say of them is not heard, but for what they throw. */
  headOfOurs(): void {
    this.end();
    for (let at = 0; at < this.#steps.count; at++) {
      try {
        const outcome = this.#steps.head(at, true);
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
    const source = item.kind === "data" ? item.bytes : undefined;
    const isFirst = this.#items.length === 0;
    if (isFirst && this.#advance(item, undefined)) {
      // Metadata that filters have put behind a head.
      if (this.#items.length > 0) this.#pump();
      return !this.#isOver;
    }
    if (this.#isOver) return false;
    // What lies where it came from is written over; what a filter has made stays the filter's.
    if (item.kind === "data" && item.bytes.buffer === source?.buffer)
      item.bytes = new Uint8Array(item.bytes);
    if (isFirst) this.#items.unshift(item);
    else this.#items.push(item);
    this.#pump();
    this.#bound();
    return false;
  }

  /** As far as it may go; true: past the last filter. */
  #advance(item: Item, before: Item | undefined): boolean {
    for (;;) {
      const at = item.next;
      if (at > 0 && this.#holds[at - 1] !== "free") return false;
      if (at === this.#steps.count) return true;
      if (before !== undefined && before.next <= at) return false;
      if (this.#holds[at] === "stop") return false;
      item.next++;
      this.#call(at, item);
      if (this.#isOver || (item.kind === "trailers" && item.front !== undefined)) return false;
    }
  }

  #call(at: number, item: Item): void {
    const before = this.#holds[at] as Hold;
    try {
      this.#settle(at, item, this.#outcomeOf(at, item, before), before);
    } catch (error) {
      this.#fail(at, error);
    }
  }

  /** `before`: how the filter held what came before the item. */
  #settle(at: number, item: Item, outcome: StepOutcome, before: Hold): void {
    if (outcome instanceof Promise) {
      this.#holds[at] = "stop";
      this.#wait(at, item, outcome, before);
      return;
    }
    const buffers = outcome === "buffer" || (outcome !== undefined && "buffered" in outcome);
    if (item.kind === "metadata") {
      this.#holds[at] = before;
      judgeMetadata(item.metadata);
    } else this.#holds[at] = buffers && !isLast(item) ? "buffer" : "free";
    if (outcome === undefined || outcome === "buffer") return;
    if ("metadata" in outcome) return this.#addMetadata(at, item, outcome.metadata);
    if (outcome instanceof Uint8Array) return replace(item, outcome);
    if ("buffered" in outcome) return replace(item, outcome.buffered);
    this.end();
    this.#end.onReply(outcome, this.#steps.nameOf(at));
  }

  /** Behind its head; filters from here on see it, too. */
  #addMetadata(at: number, head: Item, added: Readonly<Record<string, string>>): void {
    const metadata = new Map(Object.entries(added));
    judgeMetadata(metadata);
    const behind = this.#items.indexOf(head) + 1;
    this.#items.splice(behind, 0, { kind: "metadata", metadata, next: at + 1 });
  }

  #wait(at: number, item: Item, outcome: Promise<Now>, before: Hold): void {
    const run = this.#run;
    outcome.then(
      (now) =>
        this.#end.later(() => {
          if (this.#isOver || run !== this.#run) return;
          this.#finish(at, item, now, before);
        }),
      (error: unknown) =>
        this.#end.later(() => {
          if (!this.#isOver && run === this.#run) this.#fail(at, error);
        }),
    );
  }

  #finish(at: number, item: Item, now: Now, before: Hold): void {
    try {
      this.#settle(at, item, now, before);
    } catch (error) {
      this.#fail(at, error);
      return;
    }
    this.#pump();
  }

  #fail(at: number, error: unknown): void {
    this.end();
    this.#end.onFailure(this.#steps.nameOf(at), error);
  }

  /** A filter that keeps a message together says so with every part, also by having nothing to say of it. */
  #outcomeOf(at: number, item: Item, before: Hold): StepOutcome {
    switch (item.kind) {
      case "head":
        return this.#steps.head(at, item.isEnd);
      case "data":
        return this.#steps.data(at, item, before === "buffer" ? "buffer" : undefined);
      case "metadata":
        return item.metadata.size === 0 ? undefined : this.#steps.metadata(at, item.metadata);
      case "trailers":
        return this.#steps.trailers(at, item.fields);
      default:
        return item satisfies never;
    }
  }

  /** Moves what is held until nothing moves any more. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#moveAll());
    this.#isPumping = false;
    if (!this.#isOver) this.#updateReading();
  }

  /** All go as far as they may before any goes out, so that a head may know how long the body behind it is. */
  #moveAll(): boolean {
    let hasMoved = false;
    for (let index = 0; index < this.#items.length; index++) {
      const item = this.#items[index] as Item;
      const from = item.next;
      this.#advance(item, this.#items[index - 1]);
      if (this.#isOver) return false;
      hasMoved ||= item.next !== from;
      if (item.kind !== "trailers" || item.front === undefined) continue;
      this.#items.splice(index--, 0, {
        kind: "data",
        bytes: item.front,
        isEnd: false,
        next: item.next,
      });
      delete item.front;
    }
    return this.#emitAll() || hasMoved;
  }

  #emitAll(): boolean {
    let hasEmitted = false;
    while (this.#items[0] !== undefined && this.#isThrough(this.#items[0])) {
      const length = this.#items[0].kind === "head" ? this.#lengthBehindHead() : undefined;
      this.#emit(this.#items.shift() as Item, length);
      hasEmitted = true;
      if (this.#isOver) return false;
    }
    return hasEmitted;
  }

  #isThrough({ next }: Item): boolean {
    return next === this.#steps.count && (next === 0 || this.#holds[next - 1] === "free");
  }

  /** Undefined: more may come, or a filter may change what has. */
  #lengthBehindHead(): number | undefined {
    const last = this.#items.at(-1) as Item;
    const isWhole = last.kind === "data" ? last.isEnd : isEmptyTrailers(last);
    return isWhole && this.#items.every((item) => this.#isThrough(item))
      ? this.#heldBytes
      : undefined;
  }

  #emit(item: Item, length: number | undefined): void {
    if (item.kind === "head") this.#end.onHead(item.isEnd, length);
    else if (item.kind === "data") this.#end.onData(item.bytes, item.isEnd);
    else if (item.kind === "metadata") {
      // A filter has dropped it.
      if (item.metadata.size > 0) this.#end.onMetadata(item.metadata);
    } else this.#end.onTrailers(item.fields);
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

/** Of trailers: a part of the body in front of them. */
function replace(item: Item, bytes: Uint8Array): void {
  if (item.kind === "data") item.bytes = bytes;
  else if (item.kind === "trailers" && bytes.length > 0) item.front = bytes;
}

function isEmptyTrailers(item: Item): boolean {
  return item.kind === "trailers" && item.fields.whole.isEmpty;
}

function isLast(item: Item): boolean {
  return item.kind === "trailers" || (item.kind !== "metadata" && item.isEnd);
}

/** What a filter has written must go out as it is. */
function judgeMetadata(metadata: Metadata): void {
  for (const [name, value] of metadata)
    if (!latin1Pattern.test(name) || !latin1Pattern.test(value))
      throw new TypeError(`metadata "${name}" is not all Latin-1`);
}
