/** One direction of a request past filters that let it go, keep it or wait, in every order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FieldMap } from "../../../../src/data/http/filters/field-map.ts";
import {
  FilterTrain,
  type StepOutcome,
  type TrainEnd,
  type TrainSteps,
} from "../../../../src/data/http/filters/filter-train.ts";
import type { Metadata } from "../../../../src/shared/http-filter/http-filter.ts";
import { ExtraFields } from "../../../../src/data/http/headers/extra-fields.ts";

interface TestStep {
  readonly name: string;
  head?(isEnd: boolean): StepOutcome;
  data?(bytes: Uint8Array, isEnd: boolean): StepOutcome;
  trailers?(): StepOutcome;
  metadata?(metadata: Metadata): StepOutcome;
}

function trainOf(steps: readonly TestStep[], end: TrainEnd, bytesMax: number): FilterTrain {
  const all: TrainSteps = {
    count: steps.length,
    seeData: steps.some((step) => step.data !== undefined),
    nameOf: (at) => steps[at]?.name ?? "",
    head: (at, isEnd) => steps[at]?.head?.(isEnd),
    data: (at, { bytes, isEnd }, silent) =>
      steps[at]?.data === undefined ? silent : steps[at].data(bytes, isEnd),
    trailers: (at) => steps[at]?.trailers?.(),
    metadata: (at, metadata) => steps[at]?.metadata?.(metadata),
  };
  const train = new FilterTrain(all, end);
  train.begin(bytesMax);
  return train;
}

const moods = ["go", "go", "go", "buffer", "wait", "waitAndBuffer"] as const;
type Mood = (typeof moods)[number];

function outcomeOf(mood: Mood): StepOutcome {
  switch (mood) {
    case "go":
      return undefined;
    case "buffer":
      return "buffer";
    case "wait":
      return Promise.resolve();
    case "waitAndBuffer":
      return Promise.resolve("buffer" as const);
    default:
      return mood satisfies never;
  }
}

class Seen {
  readonly words: string[] = [];

  end(later: (() => void)[]): TrainEnd {
    const note = (word: string): void => void this.words.push(word);
    return {
      onHead: (isEnd) => note(`head ${isEnd}`),
      onData: (bytes, isEnd) => note(`${Buffer.from(bytes).toString()} ${isEnd}`),
      onTrailers: () => note("trailers"),
      onMetadata: (metadata) => note([...metadata.keys()].join()),
      onReply: ({ status }, filter) => note(`reply ${status} of ${filter}`),
      onFailure: (filter) => note(`failure of ${filter}`),
      onTooLarge: () => note("too large"),
      onReadingChanged: () => {},
      later: (act) => void later.push(act),
    };
  }
}

async function settle(later: (() => void)[]): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet++) {
    await new Promise((resolve) => void setImmediate(resolve));
    if (later.length > 0) quiet = 0;
    for (const act of later.splice(0)) act();
  }
}

test("whatever filters do, everything arrives once and in order, past each of them", async () => {
  const message = fc.record({
    parts: fc.array(fc.stringMatching(/^[a-z]{0,4}$/), { maxLength: 5 }),
    /** Which parts metadata comes before. */
    metadata: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
    hasTrailers: fc.boolean(),
    filters: fc.array(fc.array(fc.constantFrom(...moods), { minLength: 1 }), { maxLength: 4 }),
    pauses: fc.infiniteStream(fc.boolean()),
  });
  const property = fc.asyncProperty(message, async (sent) => {
    const { parts, metadata, hasTrailers, filters, pauses } = sent;
    const later: (() => void)[] = [];
    const seen = new Seen();
    const seenByFilters: string[][] = filters.map(() => []);
    const steps = filters.map((all, index): TestStep => {
      let calls = 0;
      const next = (word: string): StepOutcome => {
        seenByFilters[index]?.push(word);
        return outcomeOf(all[calls++ % all.length] ?? "go");
      };
      return {
        name: `f${index}`,
        head: (isEnd) => next(`head ${isEnd}`),
        data: (bytes, isEnd) => next(`${Buffer.from(bytes).toString()} ${isEnd}`),
        trailers: () => next("trailers"),
        metadata: (each) => next([...each.keys()].join()),
      };
    });
    const train = trainOf(steps, seen.end(later), 1_000);
    const expected: string[] = [];
    const send = async (word: string, act: () => boolean): Promise<void> => {
      expected.push(word);
      if (act()) seen.words.push(word);
      if (pauses.next().value) await settle(later);
    };
    const isEmpty = parts.length === 0 && !hasTrailers;
    await send(`head ${isEmpty}`, () => train.head(isEmpty));
    for (const [index, part] of parts.entries()) {
      for (const [number] of metadata.filter((before) => before === index).entries()) {
        const name = `metadata ${index} ${number}`;
        await send(name, () => {
          train.metadata(new Map([[name, ""]]));
          return false;
        });
      }
      const isEnd = !hasTrailers && index === parts.length - 1;
      // The memory is written over as soon as the call is over.
      const bytes = Buffer.from(part);
      await send(`${part} ${isEnd}`, () => train.data(bytes, isEnd));
      bytes.fill("!");
    }
    if (hasTrailers)
      await send("trailers", () => {
        train.trailers(new FieldMap(new ExtraFields()));
        return false;
      });
    await settle(later);
    assert.deepEqual(seen.words, expected);
    for (const words of seenByFilters) assert.deepEqual(words, expected);
  });
  await fc.assert(property, { numRuns: 300 });
});

test("a reply, a failure and too much end it, and nothing follows", async () => {
  const cases: readonly (readonly [() => StepOutcome, string])[] = [
    [() => ({ status: 403 }), "reply 403 of f"],
    [() => Promise.resolve({ status: 403 }), "reply 403 of f"],
    [() => assert.fail("now"), "failure of f"],
    [() => Promise.reject(new Error("later")), "failure of f"],
    [() => "buffer", "too large"],
  ];
  for (const [data, word] of cases) {
    const later: (() => void)[] = [];
    const seen = new Seen();
    const train = trainOf([{ name: "f", data }], seen.end(later), 3);
    assert(train.head(false));
    assert(!train.data(Buffer.from("more"), false));
    await settle(later);
    assert(train.isOver);
    assert(!train.data(Buffer.from("rest"), true));
    assert.deepEqual(seen.words, [word]);
  }
});

test("begun anew, it hears no promise of the message before", async () => {
  const seen = new Seen();
  const later: (() => void)[] = [];
  const outcomes: StepOutcome[] = [Promise.resolve({ status: 403 }), "buffer"];
  const train = trainOf([{ name: "f", head: () => outcomes.shift() }], seen.end(later), 10);
  assert(!train.head(true));
  train.end();
  train.begin(10);
  assert(!train.head(false));
  await settle(later);
  assert.deepEqual(seen.words, []);
  train.data(Buffer.from("one"), true);
  assert.deepEqual(seen.words, ["head false", "one true"]);
});

test("bytes that a filter gives go on in the place of those that came", () => {
  const seen = new Seen();
  const step = { name: "f", data: () => Buffer.from("other") };
  const train = trainOf([step, { name: "none" }], seen.end([]), 10);
  assert(train.head(false));
  assert(!train.data(Buffer.from("one"), true));
  assert.deepEqual(seen.words, ["other true"]);
});

test("a part that a filter puts in front of trailers passes the filters behind it", () => {
  const seen = new Seen();
  const later: string[] = [];
  const steps: readonly TestStep[] = [
    { name: "first", trailers: () => Buffer.from("last") },
    { name: "second", data: (bytes) => void later.push(Buffer.from(bytes).toString()) },
  ];
  const train = trainOf(steps, seen.end([]), 10);
  assert(train.head(false));
  assert(train.data(Buffer.from("one"), false));
  train.trailers(new FieldMap(new ExtraFields()));
  assert.deepEqual(seen.words, ["last false", "trailers"]);
  assert.deepEqual(later, ["one", "last"]);
});

test("metadata of filters goes behind their head, past the filters after them; what is emptied goes nowhere", () => {
  const seen = new Seen();
  const second: string[] = [];
  const steps: readonly TestStep[] = [
    { name: "first", head: () => ({ metadata: { a: "1" } }), metadata: (each) => each.clear() },
    {
      name: "second",
      head: () => void second.push("head"),
      metadata: (each) => void second.push([...each.keys()].join()),
    },
    { name: "third", head: () => "buffer" },
  ];
  const train = trainOf(steps, seen.end([]), 10);
  assert(!train.head(false));
  train.metadata(new Map([["b", "2"]]));
  assert(!train.data(Buffer.from("one"), true));
  assert.deepEqual(second, ["head", "a"]);
  assert.deepEqual(seen.words, ["head false", "a", "one true"]);
});

test("bytes that are buffered in the place of others wait, and are bounded as they are", () => {
  const seen = new Seen();
  const step: TestStep = {
    name: "f",
    head: () => "buffer",
    data: (bytes, isEnd) => (isEnd ? undefined : { buffered: bytes.subarray(0, 1) }),
  };
  const train = trainOf([step], seen.end([]), 3);
  assert(!train.head(false));
  for (const part of ["abc", "def", "ghi"]) assert(!train.data(Buffer.from(part), false));
  assert.deepEqual(seen.words, []);
  train.data(Buffer.from("end"), true);
  assert.deepEqual(seen.words, ["head false", "a false", "d false", "g false", "end true"]);
});

test("a head that goes on with all of its body knows how long that is", () => {
  const lengths: (number | undefined)[] = [];
  const run = (holds: "buffer" | undefined, field?: string): void => {
    const end = {
      ...new Seen().end([]),
      onHead: (_: boolean, length?: number) => void lengths.push(length),
    };
    const step: TestStep = {
      name: "f",
      head: () => "buffer",
      data: (_, isEnd) => (isEnd ? Buffer.from("longer") : holds),
      trailers: () => {},
    };
    const train = trainOf([step], end, 100);
    train.head(false);
    train.data(Buffer.from("one"), false);
    if (field === undefined) train.data(Buffer.from("two"), true);
    else {
      const fields = new ExtraFields();
      if (field !== "") fields.add(field, "x");
      train.trailers(new FieldMap(fields));
    }
  };
  run("buffer");
  run("buffer", "");
  run("buffer", "x-trailer");
  run(undefined);
  assert.deepEqual(lengths, [9, 3, undefined, undefined]);
});
