/**
 * What `sluice restarter` does about everything that can happen, decided: an event in, the next state and a list of
 * actions out. Pure; `restarter.ts` acts. Envoy's hot-restarter.py is the model, less what made it dangerous: there, a
 * child that dies of its configuration takes the healthy parent with it.
 *
 * An epoch is one more than the newest that lives, and 0 when nobody does: a child looks for its parent under the epoch
 * before its own (Envoy: --restart-epoch), so a start that failed must not use one up. Hence ids, which never come twice.
 */
import {
  type Generation,
  type Next,
  type RunningState,
  type SupervisorAction,
  type SupervisorEvent,
  type SupervisorPolicy,
  type SupervisorState,
  endText,
  nextEpoch,
} from "./supervisor-state.ts";

export interface Decision {
  readonly state: SupervisorState;
  /** To be done in this order, after the state has been taken. */
  readonly actions: readonly SupervisorAction[];
}

export function supervise(
  policy: SupervisorPolicy,
  state: SupervisorState,
  event: SupervisorEvent,
): Decision {
  switch (state.kind) {
    case "running":
      return whileRunning(policy, state, event);
    case "stopping":
      return whileStopping(state, event);
    case "ended":
      return { state, actions: [] };
    default:
      return state satisfies never;
  }
}

function whileRunning(
  policy: SupervisorPolicy,
  state: RunningState,
  event: SupervisorEvent,
): Decision {
  switch (event.kind) {
    case "begun":
      return start(state);
    case "reloadAsked":
      // A service manager that asked waits to be told that it was heard, whatever comes of it.
      return after(
        [{ kind: "notify", phase: "reloading", status: "restarting" }],
        reload(policy, state),
      );
    case "endAsked":
      return stop(state, 0, `${event.signal}: ending everything`);
    case "signalled":
      return forward(state, event.signal);
    case "validated":
      return validated(policy, state, event.refusal);
    case "ready":
      return ready(policy, state, event.id);
    case "startTimedOut":
      return startTimedOut(state, event.id);
    case "exited":
      return exited(policy, state, event);
    case "backOffElapsed":
      return state.next.kind === "backing-off" ? start(state) : { state, actions: [] };
    case "stopTimedOut":
      return { state, actions: [] };
    default:
      return event satisfies never;
  }
}

/** SIGHUP. Starts come one after another: one that is asked for meanwhile follows, and any number of them is one. */
function reload(policy: SupervisorPolicy, state: RunningState): Decision {
  const { next } = state;
  switch (next.kind) {
    case "validating":
    case "starting":
      return {
        state: { ...state, next: { ...next, again: true } },
        actions: [report("info", "a restart is under way: another one follows it")],
      };
    case "waiting":
      return { state, actions: [report("info", "a restart waits already")] };
    case "backing-off":
      return after([{ kind: "cancelBackOff" }], attempt(policy, state));
    case "none":
      return attempt(policy, state);
    default:
      return next satisfies never;
  }
}

/** Tries the next epoch, unless as many generations live as may. */
function attempt(policy: SupervisorPolicy, state: RunningState): Decision {
  if (state.generations.length >= policy.generationsMax) {
    const text = `${state.generations.length} generations live: the restart waits until one has ended`;
    return {
      state: { ...state, next: { kind: "waiting" } },
      actions: [report("warning", text)],
    };
  }
  if (!policy.validates) return start(state);
  return {
    state: { ...state, next: { kind: "validating", again: false } },
    actions: [{ kind: "validate", epoch: nextEpoch(state.generations) }],
  };
}

function start(state: RunningState): Decision {
  const epoch = nextEpoch(state.generations);
  const born: Generation = { id: state.nextId, epoch, phase: "starting", owesReopen: false };
  return {
    state: {
      ...state,
      nextId: state.nextId + 1,
      generations: [...state.generations, born],
      next: { kind: "starting", again: isAgain(state.next) },
    },
    actions: [{ kind: "start", id: born.id, epoch }],
  };
}

function validated(
  policy: SupervisorPolicy,
  state: RunningState,
  refusal: string | undefined,
): Decision {
  if (state.next.kind !== "validating") return { state, actions: [] };
  if (refusal === undefined) return start(state);
  const text = `epoch ${nextEpoch(state.generations)} is refused, ${whoServes(state)}: ${refusal}`;
  return after([report("error", text)], rest(policy, state));
}

/** The newest serves; who served before it is on its way out. */
function ready(policy: SupervisorPolicy, state: RunningState, id: number): Decision {
  const born = state.generations.find((each) => each.id === id);
  if (born?.phase !== "starting") return { state, actions: [] };
  const older = state.generations.filter((each) => each.phase === "serving");
  const generations = state.generations.map((each): Generation => {
    if (each.id === id) return { ...each, phase: "serving", owesReopen: false };
    return each.phase === "serving" ? { ...each, phase: "retired" } : each;
  });
  const status = `epoch ${born.epoch} serves`;
  const actions: SupervisorAction[] = [
    report("info", status),
    ...older.map((each): SupervisorAction => ({ kind: "retire", id: each.id })),
  ];
  if (born.owesReopen) actions.push({ kind: "signal", id, signal: "SIGUSR1" });
  const serving: RunningState = { ...state, generations, hasServed: true, next: { kind: "none" } };
  if (isAgain(state.next)) return after(actions, attempt(policy, serving));
  return { state: serving, actions: [...actions, { kind: "notify", phase: "ready", status }] };
}

function startTimedOut(state: RunningState, id: number): Decision {
  const born = state.generations.find((each) => each.id === id);
  if (born?.phase !== "starting") return { state, actions: [] };
  const generations = state.generations.map((each): Generation =>
    each.id === id ? { ...each, phase: "failing" } : each,
  );
  return {
    state: { ...state, generations },
    actions: [
      report("error", `epoch ${born.epoch} does not come up and is ended, ${whoServes(state)}`),
      { kind: "endChild", id },
    ],
  };
}

function exited(
  policy: SupervisorPolicy,
  state: RunningState,
  event: SupervisorEvent & { kind: "exited" },
): Decision {
  const gone = state.generations.find((each) => each.id === event.id);
  if (gone === undefined) return { state, actions: [] };
  const left = { ...state, generations: state.generations.filter((each) => each !== gone) };
  const decision = ofExit(policy, left, { gone, event });
  return decision.state.kind === "running" ? settled(policy, decision.state, decision) : decision;
}

interface Exit {
  readonly gone: Generation;
  readonly event: SupervisorEvent & { kind: "exited" };
}

function ofExit(policy: SupervisorPolicy, left: RunningState, { gone, event }: Exit): Decision {
  const isClean = event.code === 0;
  const text = `epoch ${gone.epoch} ${endText(event)}`;
  switch (gone.phase) {
    case "retired":
      return { state: left, actions: [report(isClean ? "info" : "warning", text)] };
    case "starting":
    case "failing":
      // Nobody is being served: whoever looks on, a person or a service manager, had better know at once.
      if (!left.hasServed)
        return stop(left, isClean ? 0 : (event.code ?? 1), `${text} before it served`);
      return after(
        [report("error", `${text} before it served, ${whoServes(left)}`)],
        rest(policy, left),
      );
    case "serving":
      if (isClean) return quit(left, text);
      if (policy.onCrash === "exit") return stop(left, 1, text);
      return crashed(policy, left, { text, wasSteady: event.livedMs >= policy.steadyMs });
    default:
      return gone.phase satisfies never;
  }
}

/** The newest was told to end, by its admin perhaps. No other is wanted then, unless one starts already. */
function quit(left: RunningState, text: string): Decision {
  const actions = [report("info", text)];
  if (left.next.kind === "starting") return { state: left, actions };
  return {
    state: { ...left, next: { kind: "none" } },
    actions: [
      ...actions,
      ...cancelled(left.next),
      { kind: "notify", phase: "ready", status: "draining" },
    ],
  };
}

function crashed(
  policy: SupervisorPolicy,
  left: RunningState,
  { text, wasSteady }: { readonly text: string; readonly wasSteady: boolean },
): Decision {
  const state: RunningState = wasSteady ? { ...left, crashes: 0 } : left;
  const actions = [report("error", text)];
  // What is under way may mend it; if not, its own end leads back here.
  if (state.next.kind !== "none") return { state, actions };
  return after(actions, rest(policy, state));
}

/** An attempt is over, and came to nothing: what was asked for meanwhile, else rest, else the crash that is to be mended. */
function rest(policy: SupervisorPolicy, state: RunningState): Decision {
  if (isAgain(state.next)) return attempt(policy, { ...state, next: { kind: "none" } });
  const serving = state.generations.find((each) => each.phase === "serving");
  if (serving === undefined) return backOff(policy, state);
  const status = `epoch ${serving.epoch} serves; a restart failed`;
  return {
    state: { ...state, next: { kind: "none" } },
    actions: [{ kind: "notify", phase: "ready", status }],
  };
}

function backOff(policy: SupervisorPolicy, state: RunningState): Decision {
  const crashes = state.crashes + 1;
  if (crashes > policy.crashesMax)
    return stop(state, 1, `it does not stay up: ${crashes} failures in a row`);
  return {
    state: { ...state, crashes, next: { kind: "backing-off" } },
    actions: [{ kind: "backOff", isFirst: crashes === 1 }],
  };
}

/** After an exit there may be room for a restart that waited, or nobody left. */
function settled(policy: SupervisorPolicy, state: RunningState, { actions }: Decision): Decision {
  if (state.next.kind === "waiting" && state.generations.length < policy.generationsMax)
    return after(actions, attempt(policy, { ...state, next: { kind: "none" } }));
  if (state.next.kind === "none" && state.generations.length === 0)
    return after(actions, stop(state, 0, "nobody is left"));
  return { state, actions };
}

/** Ends all, the oldest first; none waits for another, since each drains on its own. */
function stop(state: RunningState, code: number, text: string): Decision {
  const begun = [report(code === 0 ? "info" : "error", text), ...cancelled(state.next)];
  if (state.generations.length === 0)
    return { state: { kind: "ended", code }, actions: [...begun, { kind: "end", code }] };
  return {
    state: { kind: "stopping", generations: state.generations, code },
    actions: [
      ...begun,
      { kind: "notify", phase: "stopping", status: "ending" },
      ...state.generations.map(({ id }): SupervisorAction => ({
        kind: "signal",
        id,
        signal: "SIGTERM",
      })),
      { kind: "limitStop" },
    ],
  };
}

function whileStopping(
  state: SupervisorState & { kind: "stopping" },
  event: SupervisorEvent,
): Decision {
  switch (event.kind) {
    case "exited": {
      const gone = state.generations.find((each) => each.id === event.id);
      const generations = state.generations.filter((each) => each !== gone);
      const actions = gone ? [report("info", `epoch ${gone.epoch} ${endText(event)}`)] : [];
      if (generations.length > 0) return { state: { ...state, generations }, actions };
      const { code } = state;
      return { state: { kind: "ended", code }, actions: [...actions, { kind: "end", code }] };
    }
    case "endAsked":
      // Whoever presses Ctrl-C twice does not want to wait. A service manager may well say SIGTERM twice.
      return event.signal === "SIGINT"
        ? killAll(state, "SIGINT again")
        : { state, actions: [report("info", `${event.signal}: it is ending already`)] };
    case "stopTimedOut":
      return killAll(state, "out of time");
    case "signalled":
      return forward(state, event.signal);
    case "begun":
    case "reloadAsked":
    case "validated":
    case "ready":
    case "startTimedOut":
    case "backOffElapsed":
      return { state, actions: [] };
    default:
      return event satisfies never;
  }
}

function killAll(state: SupervisorState & { kind: "stopping" }, why: string): Decision {
  const { generations } = state;
  const epochs = generations.map((each) => each.epoch).join(", ");
  return {
    state: { ...state, code: state.code === 0 ? 1 : state.code },
    actions: [
      report("error", `${why}: killing epoch ${epochs}`),
      ...generations.map(({ id }): SupervisorAction => ({ kind: "kill", id })),
    ],
  };
}

/**
 * SIGUSR1 is for all (logs are reopened), SIGUSR2 for who serves. One that still starts may have no handler yet, and
 * would die of it: it gets what it is owed when it serves.
 */
function forward<S extends RunningState | (SupervisorState & { kind: "stopping" })>(
  state: S,
  signal: "SIGUSR1" | "SIGUSR2",
): { readonly state: S; readonly actions: readonly SupervisorAction[] } {
  const isFor = (each: Generation): boolean =>
    signal === "SIGUSR1" ? each.phase !== "starting" : each.phase === "serving";
  const actions = state.generations
    .filter(isFor)
    .map(({ id }): SupervisorAction => ({ kind: "signal", id, signal }));
  if (signal === "SIGUSR2") return { state, actions };
  const generations = state.generations.map((each): Generation =>
    each.phase === "starting" ? { ...each, owesReopen: true } : each,
  );
  return { state: { ...state, generations }, actions };
}

/** What is under way and must not go on. */
function cancelled(next: Next): readonly SupervisorAction[] {
  if (next.kind === "validating") return [{ kind: "cancelValidation" }];
  return next.kind === "backing-off" ? [{ kind: "cancelBackOff" }] : [];
}

function isAgain(next: Next): boolean {
  return (next.kind === "validating" || next.kind === "starting") && next.again;
}

function whoServes({ generations }: RunningState): string {
  const serving = generations.find((each) => each.phase === "serving");
  return serving === undefined ? "and nobody serves" : `and epoch ${serving.epoch} goes on serving`;
}

function after(actions: readonly SupervisorAction[], decision: Decision): Decision {
  return { state: decision.state, actions: [...actions, ...decision.actions] };
}

function report(level: "info" | "warning" | "error", text: string): SupervisorAction {
  return { kind: "report", level, text };
}
