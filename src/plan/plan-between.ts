/**
 * What a push of the new listeners would do to a proxy that serves the old ones. No proxy runs, so nobody knows of
 * connections; all else is judged as the proxy would judge it.
 */
import { drainPolicyDefaults } from "../shared/drain/drain.ts";
import type { DecodedListener } from "../control/config/decoded-listener.ts";
import { createListenerComparison } from "../control/config/listener-comparison.ts";
import { type ListenerReading, readListeners } from "../control/config/pushed-listeners.ts";
import { createResourceDecoders } from "../control/config/resource-decoders.ts";
import { noConnections, planView, type PlanView } from "../control/listener/plan-view.ts";
import { planPush, type PlanRules } from "../control/listener/push-plan.ts";
import { MessageValidator } from "../control/proto/message-validator.ts";
import { createProtoRegistry } from "../control/proto/proto-registry.ts";
import { readWrittenListeners, type WrittenListeners } from "./written-listeners.ts";

/** As without flags: `--drain-time-s`, `--drain-strategy`. */
const drainDefaults = { ...drainPolicyDefaults, timeMs: 600_000, strategy: "gradual" } as const;

/** Throws what is wrong with either file, or with an old listener. */
export function planBetween(
  oldFile: string,
  newFile: string,
  isComplete: boolean,
): Promise<PlanView> {
  const [before, after] = [readWrittenListeners(oldFile), readWrittenListeners(newFile)];
  const protos = createProtoRegistry();
  const tools = { protos, validator: new MessageValidator(protos) };
  const reading = { protos, decoder: createResourceDecoders(tools).listeners };
  const active = activeIn(before, oldFile, reading);
  const rules: PlanRules = {
    comparison: createListenerComparison(protos),
    versionsOf: (name) => {
      const decoded = active.get(name);
      return decoded ? { active: { decoded, isStatic: false } } : {};
    },
    names: () => active.keys(),
    isStopped: () => false,
    knowsRedirects: true,
    hasCluster: (name) => after.clusters?.has(name) ?? true,
    drainDefaults,
  };
  const plans = planPush({ listeners: readListeners(after.listeners, reading), isComplete }, rules);
  return planView([...plans], noConnections);
}

function activeIn(
  { listeners }: WrittenListeners,
  file: string,
  reading: ListenerReading,
): ReadonlyMap<string, DecodedListener> {
  const active = new Map<string, DecodedListener>();
  for (const read of readListeners(listeners, reading)) {
    if ("errors" in read)
      throw new Error(`${file}: listener '${read.name}': ${read.errors.join("; ")}`);
    active.set(read.name, read.decoded);
  }
  return active;
}
