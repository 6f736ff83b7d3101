/**
 * One direction of a request with filters: from where its bytes lie, through the train, to where they go on.
 *
 * What a newcomer would get wrong: when nothing is held or changed, bytes go on where they lie, and nothing is copied.
 */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { Arena } from "../../../shared/io/arena.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import type { HttpContext } from "../http-context.ts";
import { sendThroughScratch } from "../composer/scratch-parts.ts";
import { FieldMap } from "./field-map.ts";
import { FilterTrain, type TrainEnd, type TrainSteps } from "./filter-train.ts";
import { stageFields, trailerFields } from "./trailer-fields.ts";

/** Where one direction of a request goes on behind its filters. */
export interface FilteredWay {
  /** The head is composed, and waits in the writer for the first part of the body. */
  readonly isHeadWaiting: boolean;
  /** The head that was held lies in the table, and has passed: compose it. `length`: of its body, if that is known now. */
  onReleased(isEnd: boolean, length: number | undefined): void;
  send(start: number, end: number, isEnd: boolean): void;
  sendTrailers(start: number, end: number): void;
  sendMetadata(metadata: Metadata): void;
  setHeld(isHeld: boolean): void;
}

/** A head that waits at a filter. */
interface HeldHead {
  restore(arena: Arena): void;
}

/** What its manager does about what filters do. */
export type PassageVerdicts = Pick<TrainEnd, "onReply" | "onFailure" | "onTooLarge">;

export class FilterPassage {
  /** Parts of the body may change: it has no length. */
  isChanged = false;
  /** Said with the head: an end without bytes that follows is no part of a body. */
  isBodyless = false;
  readonly #context: HttpContext;
  readonly #way: FilteredWay;
  readonly #train: FilterTrain;
  #held: HeldHead | undefined;

  constructor(
    context: HttpContext,
    steps: TrainSteps,
    way: FilteredWay,
    verdicts: PassageVerdicts,
  ) {
    this.#context = context;
    this.#way = way;
    this.#train = new FilterTrain(steps, this.#end(verdicts));
  }

  /** Another message. `bytesMax`: most bytes of its body that filters hold. */
  begin(isChanged: boolean, bytesMax: number): void {
    this.isChanged = isChanged;
    this.#held = undefined;
    this.#train.begin(bytesMax);
  }

  /** The head waits at a filter. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** The head that was parsed last; `hold` keeps it. True: it may go on at once. */
  head(hold: (buffer: Buffer) => HeldHead): boolean {
    if (this.#train.head(this.isBodyless)) return true;
    if (!this.#train.isOver) this.#held = hold(this.#context.reactor.arena.buffer);
    return false;
  }

  /** One of our own, which waits for nobody. */
  headOfOurs(): void {
    this.#train.headOfOurs();
  }

  /** The held head lies in the table again. */
  restore(): void {
    this.#held?.restore(this.#context.reactor.arena);
  }

  data(start: number, end: number, isEnd: boolean): void {
    const way = this.#way;
    const isSilent = start === end && (!isEnd || this.isBodyless);
    if (isSilent) {
      if (!this.isHeld) way.send(start, end, isEnd);
      return;
    }
    if (this.#train.passesData && !this.isChanged) return way.send(start, end, isEnd);
    const view = this.#context.reactor.arena.bytes.subarray(start, end);
    if (this.#train.data(view, isEnd)) {
      // Around what goes in chunks there is no room where it lies.
      if (this.isChanged) this.#send(view, isEnd);
      else way.send(start, end, isEnd);
    } else if (!this.#train.isOver && way.isHeadWaiting) way.send(start, start, false);
  }

  /** Those that the header table holds. */
  trailers(): void {
    const fields = trailerFields(this.#context.reactor.arena.buffer);
    this.#train.trailers(new FieldMap(fields));
  }

  sendMetadata(metadata: Metadata): void {
    this.#train.metadata(metadata);
  }

  /** Nothing of it goes on any more. */
  end(): void {
    this.#held = undefined;
    this.#train.end();
  }

  #send(bytes: Uint8Array, isEnd: boolean): void {
    const { writer } = this.#context;
    const headEnd = this.#way.isHeadWaiting ? writer.at : writer.start;
    sendThroughScratch(writer, headEnd, { bytes, isEnd }, (start, end, isLast) =>
      this.#way.send(start, end, isLast),
    );
  }

  #sendTrailers(fields: ExtraFields): void {
    const { writer, reactor } = this.#context;
    if (fields.isEmpty) return this.#way.send(writer.start, writer.start, true);
    if (this.#way.isHeadWaiting) this.#way.send(writer.start, writer.start, false);
    const end = stageFields(reactor.arena, fields);
    this.#way.sendTrailers(reactor.arena.stagingStart, end);
  }

  #end(verdicts: PassageVerdicts): TrainEnd {
    const { reactor } = this.#context;
    return {
      ...verdicts,
      onHead: (isEnd, length) => {
        this.restore();
        this.#held = undefined;
        this.#way.onReleased(isEnd, this.isChanged ? length : undefined);
      },
      onData: (bytes, isEnd) => this.#send(bytes, isEnd),
      onTrailers: (fields) => this.#sendTrailers(fields.whole),
      onMetadata: (metadata) => this.#way.sendMetadata(metadata),
      onReadingChanged: (on) => this.#way.setHeld(!on),
      later: (act) => reactor.atRoundEnd(act),
    };
  }
}
