/** What a client asks for, as the recording and a replay both show it. */
import type { TypeName } from "./recording.ts";

/** What requests of both have in common. */
export interface NamedRequest {
  readonly type: TypeName;
  /** All names asked for, in state of the world. */
  readonly names: readonly string[];
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

/** The names asked for after these requests, sorted; `*` asks for all and is the same as asking for none. */
export function subscribedNames(
  requests: readonly NamedRequest[],
  type: TypeName,
  isDelta: boolean,
): readonly string[] {
  const ofType = requests.filter((request) => request.type === type);
  const names = new Set(isDelta ? [] : ofType.at(-1)?.names);
  for (const { subscribe, unsubscribe } of isDelta ? ofType : []) {
    for (const name of subscribe) names.add(name);
    for (const name of unsubscribe) names.delete(name);
  }
  names.delete("*");
  return [...names].toSorted();
}
