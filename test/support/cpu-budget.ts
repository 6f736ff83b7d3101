/** Whether this process has used less CPU time than that since: a busy machine takes longer for the same work, and does no less. */
export function cpuBudget(budgetMs: number): () => boolean {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000 < budgetMs;
  };
}
