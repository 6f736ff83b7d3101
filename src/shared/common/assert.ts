/**
 * A condition that only a bug of ours can break: state-machine misuse, a broken seam. Never for
 * input, which gets an error value. On the data path the handler of the loop turns the throw into
 * the end of one connection (`sluice.worker.connection_bugs`).
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}
