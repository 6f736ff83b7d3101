/**
 * The edge of the supervisor: events come in one after another, each is decided (`supervise`) and its actions are done
 * before the next. An action may bring about an event at once, a start that fails for instance: it is taken in its turn.
 */
import { Backoff } from "../../shared/common/backoff.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { Random } from "../../shared/common/random.ts";
import type { RestarterOptions } from "./restarter-options.ts";
import { supervise } from "./supervisor.ts";
import {
  type SupervisorAction,
  type SupervisorEvent,
  type SupervisorPolicy,
  type SupervisorState,
  initialState,
} from "./supervisor-state.ts";

/** A process of COMMAND. */
export interface Child {
  /** Undefined: it could not be started, which `onExit` says. */
  readonly pid: number | undefined;
  /** Of the process alone. */
  signal(name: NodeJS.Signals): void;
  /** With all that it has started itself. */
  kill(): void;
}

export interface ChildExit {
  /** Undefined: it was ended by a signal, or never started. */
  readonly code: number | undefined;
  readonly cause: string;
}

export interface EpochStart {
  readonly epoch: number;
  /** Of the clock, just before its process was. */
  readonly startedMs: number;
}

/** What the restarter does to the world. */
export interface RestarterWorld {
  readonly clock: Clock;
  readonly random: Random;
  /** `onExit` is called once, and never before this has returned. */
  start(epoch: number, onExit: (exit: ChildExit) => void): Child;
  /** Tells whether an epoch's configuration is good: undefined, or why not. Disposing ends the attempt. */
  validate(epoch: number, onResult: (refusal: string | undefined) => void): Disposable;
  /** Waits until an epoch serves. */
  awaitReady(start: EpochStart, onResult: (isReady: boolean) => void): Disposable;
  report(level: "info" | "warning" | "error", text: string): void;
  notify(phase: "ready" | "reloading" | "stopping", status: string): void;
  end(code: number): void;
}

/** After a crash: uniform over a ceiling that doubles, so that many hosts do not come back as one. */
const backOffMs = { baseMs: 1000, maxMs: 30_000 } as const;
/** Who served for so long ends a row of crashes: twice the longest delay. */
const steadyMs = 60_000;

interface LiveChild {
  readonly child: Child;
  readonly epoch: number;
  readonly startedMs: number;
  /** Ends with the process: its readiness, its retirement, its SIGKILL. */
  readonly timers: DisposableStack;
}

export class Restarter {
  readonly #options: RestarterOptions;
  readonly #policy: SupervisorPolicy;
  readonly #world: RestarterWorld;
  readonly #backoff: Backoff;
  readonly #children = new Map<number, LiveChild>();
  readonly #events: SupervisorEvent[] = [];
  /** Changed by `take` alone. */
  #state: SupervisorState = initialState;
  #isActing = false;
  #validation: Disposable | undefined;
  #backOffTimer: Disposable | undefined;
  #stopTimer: Disposable | undefined;

  constructor(options: RestarterOptions, validates: boolean, world: RestarterWorld) {
    const { onCrash, generationsMax, crashesMax } = options;
    this.#options = options;
    this.#policy = { validates, onCrash, generationsMax, crashesMax, steadyMs };
    this.#world = world;
    this.#backoff = new Backoff(backOffMs, world.random);
  }

  take(event: SupervisorEvent): void {
    this.#events.push(event);
    if (this.#isActing) return;
    this.#isActing = true;
    for (let next = this.#events.shift(); next; next = this.#events.shift()) {
      const { state, actions } = supervise(this.#policy, this.#state, next);
      this.#state = state;
      for (const action of actions) this.#act(action);
    }
    this.#isActing = false;
  }

  #act(action: SupervisorAction): void {
    const { clock } = this.#world;
    switch (action.kind) {
      case "validate":
        this.#validation = this.#world.validate(action.epoch, (refusal) =>
          this.take({ kind: "validated", refusal }),
        );
        return;
      case "cancelValidation":
        return this.#validation?.[Symbol.dispose]();
      case "start":
        return this.#start(action.id, action.epoch);
      case "signal":
        return this.#children.get(action.id)?.child.signal(action.signal);
      case "kill":
        return this.#children.get(action.id)?.child.kill();
      case "endChild":
        return this.#endChild(action.id);
      case "retire":
        return this.#retire(action.id);
      case "backOff":
        return this.#backOff(action.isFirst);
      case "cancelBackOff":
        return this.#backOffTimer?.[Symbol.dispose]();
      case "limitStop":
        this.#stopTimer = clock.startTimer(this.#options.termTimeoutMs, () =>
          this.take({ kind: "stopTimedOut" }),
        );
        return;
      case "report":
        return this.#world.report(action.level, action.text);
      case "notify":
        return this.#world.notify(action.phase, action.status);
      case "end":
        this.#stopTimer?.[Symbol.dispose]();
        return this.#world.end(action.code);
      default:
        return action satisfies never;
    }
  }

  #start(id: number, epoch: number): void {
    // Before it is: what it says of its age is held against this.
    const startedMs = this.#world.clock.now();
    const child = this.#world.start(epoch, (exit) => this.#exited(id, exit));
    const timers = new DisposableStack();
    this.#children.set(id, { child, epoch, startedMs, timers });
    if (child.pid === undefined) return;
    this.#world.report("info", `epoch ${epoch} starts, pid ${child.pid}`);
    timers.use(
      this.#world.awaitReady({ epoch, startedMs }, (isReady) =>
        this.take(isReady ? { kind: "ready", id } : { kind: "startTimedOut", id }),
      ),
    );
  }

  #exited(id: number, exit: ChildExit): void {
    const gone = this.#children.get(id);
    if (gone === undefined) return;
    this.#children.delete(id);
    gone.timers.dispose();
    const livedMs = this.#world.clock.now() - gone.startedMs;
    this.take({ kind: "exited", id, ...exit, livedMs });
  }

  #endChild(id: number): void {
    const live = this.#children.get(id);
    if (live === undefined) return;
    live.child.signal("SIGTERM");
    const timer = this.#world.clock.startTimer(this.#options.termTimeoutMs, () => {
      this.#world.report("error", `epoch ${live.epoch} does not end: killing it`);
      live.child.kill();
    });
    live.timers.use(timer);
  }

  #retire(id: number): void {
    const { retireAfterMs } = this.#options;
    if (retireAfterMs === undefined) return;
    const timer = this.#world.clock.startTimer(retireAfterMs, () => this.#endChild(id));
    this.#children.get(id)?.timers.use(timer);
  }

  #backOff(isFirst: boolean): void {
    if (isFirst) this.#backoff.reset();
    const delayMs = this.#backoff.nextMs();
    this.#world.report("info", `the next start is in ${delayMs} ms`);
    this.#backOffTimer = this.#world.clock.startTimer(delayMs, () =>
      this.take({ kind: "backOffElapsed" }),
    );
  }
}
