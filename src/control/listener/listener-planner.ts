/** Plans of pushes over what the manager holds at this moment: it reads, and asks workers for counts. */
import type { Clock } from "../../shared/common/clock.ts";
import { TimeSlices } from "../../shared/common/time-slices.ts";
import type { DrainPolicy } from "../../shared/drain/drain.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import type { WorkerInquiry } from "../workers/worker-inquiry.ts";
import { chainConnections } from "./chain-connections.ts";
import type { JudgeRules } from "./listener-judge.ts";
import type { ListenerSets } from "./listener-sets.ts";
import { type PlanView, planView } from "./plan-view.ts";
import { type PlannedListener, type PlannedPush, planPush } from "./push-plan.ts";

export interface ListenerPlannerContext {
  readonly inquiry: Pick<WorkerInquiry, "ask">;
  readonly limits: Pick<SharedLimits, "read">;
  readonly drainDefaults: DrainPolicy;
  readonly clock: Clock;
}

export class ListenerPlanner {
  readonly #context: ListenerPlannerContext;
  readonly #rules: JudgeRules;
  readonly #sets: ListenerSets;

  constructor(context: ListenerPlannerContext, rules: JudgeRules, sets: ListenerSets) {
    this.#context = context;
    this.#rules = rules;
    this.#sets = sets;
  }

  /** Of one moment: call it where nothing else changes what is held. */
  async judge(push: PlannedPush): Promise<readonly PlannedListener[]> {
    const { clock, drainDefaults } = this.#context;
    const rules = { ...this.#rules, drainDefaults, names: () => this.#sets.names() };
    const slices = new TimeSlices(clock);
    const plans: PlannedListener[] = [];
    for (const plan of planPush(push, rules)) {
      plans.push(plan);
      if (slices.isOver) await slices.next();
    }
    return plans;
  }

  /** With the connections of now. */
  view(plans: readonly PlannedListener[]): Promise<PlanView> {
    const { inquiry, limits } = this.#context;
    return planView(plans, {
      ofListener: (name) => {
        const listener = this.#sets.active.get(name);
        return listener && limits.read(listener.holdings.connections.index);
      },
      ofChains: async (name) => {
        const listener = this.#sets.active.get(name);
        return listener && (await chainConnections(listener.tag, inquiry));
      },
    });
  }
}
