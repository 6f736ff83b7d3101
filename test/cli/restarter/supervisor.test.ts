import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { supervise } from "../../../src/cli/restarter/supervisor.ts";
import {
  type SupervisorAction,
  type SupervisorEvent,
  type SupervisorPolicy,
  type SupervisorState,
  initialState,
} from "../../../src/cli/restarter/supervisor-state.ts";

const careful: SupervisorPolicy = {
  validates: true,
  onCrash: "restart",
  generationsMax: 3,
  crashesMax: 2,
  steadyMs: 60_000,
};
const hup: SupervisorEvent = { kind: "reloadAsked" };
const good: SupervisorEvent = { kind: "validated", refusal: undefined };
const bad: SupervisorEvent = { kind: "validated", refusal: "no such cluster" };
const term: SupervisorEvent = { kind: "endAsked", signal: "SIGTERM" };

/** Runs events one after another; what is said in words is left out, unless a test asks for it. */
class Story {
  state: SupervisorState = initialState;
  said: readonly string[] = [];
  readonly #policy: SupervisorPolicy;

  constructor(policy: Partial<SupervisorPolicy> = {}) {
    this.#policy = { ...careful, ...policy };
  }

  take(...events: readonly SupervisorEvent[]): readonly string[] {
    const actions = events.flatMap((event) => {
      const decision = supervise(this.#policy, this.state, event);
      this.state = decision.state;
      return decision.actions;
    });
    this.said = actions.flatMap((action) => (action.kind === "report" ? [action.text] : []));
    return actions.filter((action) => action.kind !== "report").map(textOf);
  }

  /** With epoch 0 serving. */
  static serving(policy: Partial<SupervisorPolicy> = {}): Story {
    const story = new Story(policy);
    story.take({ kind: "begun" }, ready(1));
    return story;
  }
}

function textOf(action: SupervisorAction): string {
  switch (action.kind) {
    case "start":
      return `start ${action.id} as epoch ${action.epoch}`;
    case "validate":
      return `validate epoch ${action.epoch}`;
    case "signal":
      return `${action.signal} to ${action.id}`;
    case "notify":
      return action.phase;
    case "kill":
    case "retire":
    case "endChild":
      return `${action.kind} ${action.id}`;
    case "end":
      return `end with ${action.code}`;
    case "report":
      return action.text;
    case "cancelValidation":
    case "backOff":
    case "cancelBackOff":
    case "limitStop":
      return action.kind;
    default:
      return action satisfies never;
  }
}

function ready(id: number): SupervisorEvent {
  return { kind: "ready", id };
}

function exited(id: number, code = 0, livedMs = 1000): SupervisorEvent {
  return { kind: "exited", id, code, cause: "", livedMs };
}

function killed(id: number): SupervisorEvent {
  return { kind: "exited", id, code: undefined, cause: "SIGSEGV", livedMs: 1000 };
}

suite("supervise(), a restart", () => {
  test("tries the configuration, starts the next epoch, and lets the one before retire", () => {
    const story = new Story();
    assert.deepEqual(story.take({ kind: "begun" }), ["start 1 as epoch 0"]);
    assert.deepEqual(story.take(ready(1)), ["ready"]);
    assert.deepEqual(story.take(hup), ["reloading", "validate epoch 1"]);
    assert.deepEqual(story.take(good), ["start 2 as epoch 1"]);
    assert.deepEqual(story.take(ready(2)), ["retire 1", "ready"]);
    assert.deepEqual(story.take(exited(1)), []);
  });

  test("that is refused by the configuration starts nothing, and says why", () => {
    const story = Story.serving();
    assert.deepEqual(story.take(hup, bad), ["reloading", "validate epoch 1", "ready"]);
    assert.deepEqual(story.said, [
      "epoch 1 is refused, and epoch 0 goes on serving: no such cluster",
    ]);
  });

  test("whose child dies first leaves the parent serving, and its epoch to the next try", () => {
    const story = Story.serving();
    assert.deepEqual(story.take(hup, good, exited(2, 1)).at(-1), "ready");
    assert.deepEqual(
      story.said.at(-1),
      "epoch 1 ended with code 1 before it served, and epoch 0 goes on serving",
    );
    assert.deepEqual(story.take(hup, good).at(-1), "start 3 as epoch 1");
  });

  test("that does not come up in time is ended, and its epoch is free only then", () => {
    const story = Story.serving();
    assert.deepEqual(story.take(hup, good, { kind: "startTimedOut", id: 2 }).at(-1), "endChild 2");
    assert.deepEqual(story.take(hup), ["reloading"]);
    assert.deepEqual(story.take(killed(2)), ["validate epoch 1"]);
  });

  test("that is asked for again meanwhile, however often, follows once", () => {
    const story = Story.serving();
    story.take(hup, hup, hup, good);
    assert.deepEqual(story.take(hup, ready(2)), ["reloading", "retire 1", "validate epoch 2"]);
    assert.deepEqual(story.take(good, ready(3)), ["start 3 as epoch 2", "retire 2", "ready"]);
  });

  test("waits while as many generations live as may", () => {
    const story = Story.serving({ generationsMax: 2 });
    story.take(hup, good, ready(2));
    assert.deepEqual(story.take(hup, hup), ["reloading", "reloading"]);
    assert.deepEqual(story.take(exited(1)), ["validate epoch 2"]);
  });

  test("without a validation starts at once", () => {
    assert.deepEqual(Story.serving({ validates: false }).take(hup), [
      "reloading",
      "start 2 as epoch 1",
    ]);
  });
});

suite("supervise(), an exit", () => {
  test("before anybody served ends everything, with the child's code", () => {
    const story = new Story();
    assert.deepEqual(story.take({ kind: "begun" }, exited(1, 3)).at(-1), "end with 3");
  });

  test("of an old generation is reported when it is no clean one, and touches nobody", () => {
    const story = Story.serving();
    story.take(hup, good, ready(2));
    assert.deepEqual(story.take(killed(1)), []);
    assert.deepEqual(story.said, ["epoch 0 ended: SIGSEGV"]);
  });

  test("of the newest is mended by a start as epoch 0, for no parent is left", () => {
    const story = Story.serving();
    story.take(hup, good, ready(2), exited(1));
    assert.deepEqual(story.take(killed(2)), ["backOff"]);
    assert.deepEqual(story.take({ kind: "backOffElapsed" }), ["start 3 as epoch 0"]);
  });

  test("of the newest while the one before drains is mended by its next child", () => {
    const story = Story.serving();
    story.take(hup, good, ready(2), exited(2, 1));
    assert.deepEqual(story.take({ kind: "backOffElapsed" }), ["start 3 as epoch 1"]);
  });

  test("of the newest again and again ends everything", () => {
    const story = Story.serving();
    const again = (id: number): readonly string[] =>
      story.take(exited(id, 1), { kind: "backOffElapsed" });
    assert.deepEqual(again(1), ["backOff", "start 2 as epoch 0"]);
    assert.deepEqual(again(2), ["backOff", "start 3 as epoch 0"]);
    assert.deepEqual(again(3), ["end with 1"]);
  });

  test("of one that served for long begins a new row of crashes", () => {
    const story = Story.serving();
    for (const id of [1, 2, 3, 4]) {
      assert.deepEqual(story.take(exited(id, 1, 60_000)), ["backOff"]);
      story.take({ kind: "backOffElapsed" }, ready(id + 1));
    }
  });

  test("of the newest ends everything where Envoy's way is wanted", () => {
    const story = Story.serving({ onCrash: "exit" });
    story.take(hup, good, ready(2));
    assert.deepEqual(story.take(exited(2, 1)), ["stopping", "SIGTERM to 1", "limitStop"]);
    assert.deepEqual(story.take(exited(1)), ["end with 1"]);
  });

  test("of the newest while the next starts waits for that one", () => {
    const story = Story.serving();
    assert.deepEqual(story.take(hup, good, exited(1, 1)).at(-1), "start 2 as epoch 1");
    assert.deepEqual(story.take(ready(2)), ["ready"]);
  });

  test("of both, the newest and the one that starts, is mended after a delay", () => {
    const story = Story.serving();
    assert.deepEqual(story.take(hup, good, exited(1, 1), exited(2, 1)).at(-1), "backOff");
  });

  test("that is clean, of the last, ends with 0", () => {
    assert.deepEqual(Story.serving().take(exited(1)), ["ready", "end with 0"]);
  });

  test("that is clean, of the newest, lets the old ones finish", () => {
    const story = Story.serving();
    story.take(hup, good, ready(2));
    assert.deepEqual(story.take(exited(2)), ["ready"]);
    assert.deepEqual(story.take(exited(1)), ["end with 0"]);
  });

  test("and SIGHUP while the delay runs: the new configuration is tried at once", () => {
    const story = Story.serving();
    story.take(exited(1, 1));
    assert.deepEqual(story.take(hup), ["reloading", "cancelBackOff", "validate epoch 0"]);
    assert.deepEqual(story.take(bad), ["backOff"]);
  });
});

suite("supervise(), signals", () => {
  test("SIGTERM ends all, the oldest first, and the restarter when the last has gone", () => {
    const story = Story.serving();
    story.take(hup, good, ready(2));
    const actions = story.take(term);
    assert.deepEqual(actions, ["stopping", "SIGTERM to 1", "SIGTERM to 2", "limitStop"]);
    assert.deepEqual(story.take(exited(2), hup, exited(1)), ["end with 0"]);
  });

  test("SIGTERM while a configuration is tried, or a delay runs, stops that too", () => {
    const validating = Story.serving();
    validating.take(hup);
    assert.equal(validating.take(term)[0], "cancelValidation");
    const waiting = Story.serving();
    waiting.take(exited(1, 1));
    assert.deepEqual(waiting.take(term), ["cancelBackOff", "end with 0"]);
  });

  test("who does not end in time is killed, and the exit code tells", () => {
    const story = Story.serving();
    assert.deepEqual(story.take(term, { kind: "stopTimedOut" }).at(-1), "kill 1");
    assert.deepEqual(story.take(killed(1)), ["end with 1"]);
  });

  test("a second SIGINT kills at once; a second SIGTERM does not", () => {
    const story = Story.serving();
    story.take(term);
    assert.deepEqual(story.take(term), []);
    assert.deepEqual(story.take({ kind: "endAsked", signal: "SIGINT" }), ["kill 1"]);
  });

  test("SIGUSR1 is for all, but one that starts gets it when it serves", () => {
    const story = Story.serving();
    story.take(hup, good, ready(2), hup, good);
    const usr1: SupervisorEvent = { kind: "signalled", signal: "SIGUSR1" };
    assert.deepEqual(story.take(usr1, usr1).slice(0, 2), ["SIGUSR1 to 1", "SIGUSR1 to 2"]);
    assert.deepEqual(story.take(ready(3)), ["retire 2", "SIGUSR1 to 3", "ready"]);
  });

  test("SIGUSR2 is for the one that serves", () => {
    const story = Story.serving();
    story.take(hup, good, ready(2), hup, good);
    assert.deepEqual(story.take({ kind: "signalled", signal: "SIGUSR2" }), ["SIGUSR2 to 2"]);
  });
});

suite("supervise(), whatever happens in whatever order", () => {
  const anyId = fc.integer({ min: 1, max: 12 });
  const anyEvent: fc.Arbitrary<SupervisorEvent> = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(hup, good, bad, good) },
    { weight: 6, arbitrary: anyId.map(ready) },
    {
      weight: 5,
      arbitrary: fc
        .tuple(anyId, fc.constantFrom(0, 1, undefined), fc.constantFrom(10, 90_000))
        .map(([id, code, livedMs]): SupervisorEvent => ({
          kind: "exited",
          id,
          code,
          cause: "SIGKILL",
          livedMs,
        })),
    },
    {
      weight: 4,
      arbitrary: fc.constantFrom<SupervisorEvent>(
        { kind: "backOffElapsed" },
        { kind: "signalled", signal: "SIGUSR1" },
        { kind: "signalled", signal: "SIGUSR2" },
      ),
    },
    { weight: 1, arbitrary: anyId.map((id): SupervisorEvent => ({ kind: "startTimedOut", id })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<SupervisorEvent>(
        term,
        { kind: "endAsked", signal: "SIGINT" },
        { kind: "stopTimedOut" },
      ),
    },
  );
  const anyPolicy: fc.Arbitrary<SupervisorPolicy> = fc.record({
    validates: fc.boolean(),
    onCrash: fc.constantFrom("restart", "exit"),
    generationsMax: fc.integer({ min: 2, max: 4 }),
    crashesMax: fc.integer({ min: 0, max: 3 }),
    steadyMs: fc.constant(60_000),
  });

  test("its rules hold", () => {
    fc.assert(
      fc.property(anyPolicy, fc.array(anyEvent, { maxLength: 60 }), (policy, events) => {
        const world = new ModelWorld(policy);
        world.take({ kind: "begun" });
        for (const event of events) world.take(event);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Does what it is told, and asserts after each event what must always be true. */
class ModelWorld {
  readonly #policy: SupervisorPolicy;
  readonly #alive = new Map<number, number>();
  #state: SupervisorState = initialState;
  #isBackingOff = false;
  #isValidating = false;
  #hasEnded = false;

  constructor(policy: SupervisorPolicy) {
    this.#policy = policy;
  }

  take(event: SupervisorEvent): void {
    const before = this.#state;
    if (event.kind === "exited") this.#alive.delete(event.id);
    if (event.kind === "validated") this.#isValidating = false;
    if (event.kind === "backOffElapsed") this.#isBackingOff = false;
    const { state, actions } = supervise(this.#policy, before, event);
    this.#state = state;
    for (const action of actions) this.#act(action);
    this.#check();
    // A healthy process is told to end by whoever asked for it, by Envoy's way, or because nothing stays up.
    const isTold = actions.some(
      (action) => action.kind === "signal" && action.signal === "SIGTERM",
    );
    if (isTold)
      assert(event.kind === "endAsked" || event.kind === "exited" || event.kind === "validated");
    if (isTold && event.kind === "exited" && this.#policy.onCrash === "restart")
      assert(!isServing(before) || gonePhase(before, event.id) === "serving");
  }

  #act(action: SupervisorAction): void {
    assert(!this.#hasEnded, "nothing is done after the end");
    switch (action.kind) {
      case "start":
        assert.equal(action.epoch, Math.max(-1, ...this.#alive.values()) + 1);
        assert(!this.#alive.has(action.id), "no id comes twice");
        this.#alive.set(action.id, action.epoch);
        return;
      case "signal":
      case "kill":
      case "retire":
      case "endChild":
        assert(this.#alive.has(action.id), `${action.kind} is for who lives`);
        return;
      case "backOff":
        assert(!this.#isBackingOff);
        this.#isBackingOff = true;
        return;
      case "cancelBackOff":
        this.#isBackingOff = false;
        return;
      case "validate":
        assert(!this.#isValidating);
        this.#isValidating = true;
        return;
      case "cancelValidation":
        this.#isValidating = false;
        return;
      case "end":
        assert.equal(this.#alive.size, 0, "nobody is left behind");
        this.#hasEnded = true;
        return;
      case "limitStop":
      case "notify":
      case "report":
        return;
      default:
        return action satisfies never;
    }
  }

  #check(): void {
    const state = this.#state;
    assert.equal(this.#hasEnded, state.kind === "ended");
    if (state.kind === "ended") return;
    const { generations } = state;
    assert.deepEqual(new Map(generations.map((each) => [each.id, each.epoch])), this.#alive);
    if (state.kind === "stopping") {
      assert(generations.length > 0);
      assert(!this.#isValidating && !this.#isBackingOff);
      return;
    }
    const epochs = generations.map((each) => each.epoch);
    assert(epochs.every((epoch, index) => index === 0 || epoch > (epochs[index - 1] ?? -1)));
    assert(generations.length <= this.#policy.generationsMax);
    assert(generations.filter((each) => each.phase === "serving").length <= 1);
    const starting = generations.filter(({ phase }) => phase === "starting" || phase === "failing");
    assert.deepEqual(starting, state.next.kind === "starting" ? generations.slice(-1) : []);
    assert.equal(this.#isBackingOff, state.next.kind === "backing-off");
    assert.equal(this.#isValidating, state.next.kind === "validating");
    assert(generations.length > 0 || this.#isBackingOff || this.#isValidating, "never stuck");
  }
}

function isServing(state: SupervisorState): boolean {
  return state.kind === "running" && state.generations.some((each) => each.phase === "serving");
}

function gonePhase(state: SupervisorState, id: number): string | undefined {
  if (state.kind !== "running") return undefined;
  return state.generations.find((each) => each.id === id)?.phase;
}
