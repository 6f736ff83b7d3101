import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerInquiry, answerMsMax } from "../../../src/control/workers/worker-inquiry.ts";
import type { WorkerPoolListener } from "../../../src/control/workers/worker-pool.ts";
import { drainId } from "../../../src/shared/common/brand.ts";
import type { WorkerCommand } from "../../../src/shared/protocol/worker-command.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

function setUp() {
  const clock = new VirtualClock();
  const posted: WorkerCommand[] = [];
  const listeners: WorkerPoolListener[] = [];
  const inquiry = new WorkerInquiry({
    clock,
    pool: {
      concurrency: 2,
      post: (command) => void posted.push(command),
      subscribe(listener) {
        listeners.push(listener);
        return { [Symbol.dispose]() {} };
      },
    },
  });
  const ask = () =>
    inquiry.ask((question) => ({ kind: "cancelDrain", drain: drainId(1), question }));
  const answer = (worker: number, question: number, told: number): void => {
    const event = { kind: "answer", question, answer: { kind: "drainCancelled", told } } as const;
    for (const listener of listeners) listener.onEvent?.(worker, event);
  };
  return { clock, posted, ask, answer };
}

test("a question is over when every worker has answered it", async () => {
  const { ask, answer, posted } = setUp();
  const first = ask();
  const second = ask();
  assert.deepEqual(
    posted.map((command) => command.kind === "cancelDrain" && command.question),
    [1, 2],
  );
  answer(1, 2, 20);
  answer(1, 1, 10);
  answer(0, 1, 11);
  assert.deepEqual(await first, {
    answers: [
      { worker: 0, answer: { kind: "drainCancelled", told: 11 } },
      { worker: 1, answer: { kind: "drainCancelled", told: 10 } },
    ],
    silent: [],
  });
  answer(0, 2, 21);
  assert.equal((await second).answers.length, 2);
});

test("who is silent is named when the time is up, and answers to nobody later", async () => {
  const { clock, ask, answer } = setUp();
  const asked = ask();
  answer(1, 1, 10);
  await clock.advance(answerMsMax);
  const { answers, silent } = await asked;
  assert.deepEqual([answers.map(({ worker }) => worker), silent], [[1], [0]]);
  answer(0, 1, 1);
  answer(0, 99, 1);
  assert.equal(answers.length, 1);
});
