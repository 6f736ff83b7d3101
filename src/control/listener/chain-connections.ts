/** How many connections each filter chain of a listener has now: workers know, main does not. */
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { ListenerPool } from "./listener-workers.ts";

/** A worker answers in microseconds; one that is stuck must not keep who only wants to know. */
export const answerMsMax = 2_000;

/** By the ids of chains; undefined: a worker did not answer in time. */
export async function chainConnections(
  tag: ListenerTag,
  pool: Pick<ListenerPool, "broadcast" | "subscribe">,
  clock: Clock,
): Promise<ReadonlyMap<string, number> | undefined> {
  const counts = new Map<string, number>();
  /** Replies are numbered by worker. */
  const asked = new Set<string>();
  using _subscription = pool.subscribe({
    onEvent(worker, event) {
      if (event.kind !== "connectionCounts" || !asked.has(`${worker} ${event.reply}`)) return;
      for (const [id, count] of event.counts) counts.set(id, (counts.get(id) ?? 0) + count);
    },
  });
  const answered = pool.broadcast((reply, worker) => {
    asked.add(`${worker} ${reply}`);
    return { kind: "countConnections", tag, reply };
  });
  const late = Promise.withResolvers<undefined>();
  using _timer = clock.startTimer(answerMsMax, () => late.resolve(undefined));
  return await Promise.race([answered.then(() => counts), late.promise]);
}
