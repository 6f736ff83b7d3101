/**
 * Questions that every worker answers with more than "done", within a time limit: who is silent until then is
 * named, never waited for. An answer that comes later is dropped.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { WorkerCommand } from "../../shared/protocol/worker-command.ts";
import type { WorkerAnswer } from "../../shared/protocol/worker-event.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** A worker answers in the round in which it reads the question. */
export const answerMsMax = 1_000;

export interface WorkerInquiryResult {
  readonly answers: readonly { readonly worker: number; readonly answer: WorkerAnswer }[];
  /** Who did not answer. */
  readonly silent: readonly number[];
}

export interface WorkerInquiryContext {
  readonly pool: Pick<WorkerPool, "concurrency" | "post" | "subscribe">;
  readonly clock: Clock;
}

export class WorkerInquiry {
  readonly #context: WorkerInquiryContext;
  readonly #open = new Map<number, (worker: number, answer: WorkerAnswer) => void>();
  #lastQuestion = 0;

  constructor(context: WorkerInquiryContext) {
    this.#context = context;
    context.pool.subscribe({
      onEvent: (worker, event) => {
        if (event.kind === "answer") this.#open.get(event.question)?.(worker, event.answer);
      },
    });
  }

  /** `build`: the command with the number of the question in it. */
  ask(build: (question: number) => WorkerCommand): Promise<WorkerInquiryResult> {
    const { pool, clock } = this.#context;
    const question = ++this.#lastQuestion;
    const byWorker = new Map<number, WorkerAnswer>();
    const workers = Array.from({ length: pool.concurrency }, (_, index) => index);
    return new Promise((resolve) => {
      const finish = (): void => {
        timer[Symbol.dispose]();
        this.#open.delete(question);
        resolve({
          answers: workers.flatMap((worker) => {
            const answer = byWorker.get(worker);
            return answer ? [{ worker, answer }] : [];
          }),
          silent: workers.filter((worker) => !byWorker.has(worker)),
        });
      };
      const timer = clock.startTimer(answerMsMax, finish);
      this.#open.set(question, (worker, answer) => {
        byWorker.set(worker, answer);
        if (byWorker.size === workers.length) finish();
      });
      pool.post(build(question));
    });
  }
}
