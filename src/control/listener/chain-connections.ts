/** How many connections each filter chain of a listener has now: workers know, main does not. */
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { WorkerInquiry } from "../workers/worker-inquiry.ts";

/** By the ids of chains; undefined: a worker did not answer in time. */
export async function chainConnections(
  tag: ListenerTag,
  inquiry: Pick<WorkerInquiry, "ask">,
): Promise<ReadonlyMap<string, number> | undefined> {
  const { answers, silent } = await inquiry.ask((question) => ({
    kind: "countConnections",
    tag,
    question,
  }));
  if (silent.length > 0) return undefined;
  const counts = new Map<string, number>();
  const all = answers.flatMap(({ answer }) =>
    answer.kind === "connectionCounts" ? answer.counts : [],
  );
  for (const [id, count] of all) counts.set(id, (counts.get(id) ?? 0) + count);
  return counts;
}
