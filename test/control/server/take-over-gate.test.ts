import assert from "node:assert/strict";
import { test } from "node:test";
import { BehaviorSubject } from "rxjs";
import { TakeOverGate } from "../../../src/control/server/take-over-gate.ts";
import type { ResourceState, ResourceType } from "../../../src/control/xds/resource-batch.ts";
import { recordingLogger } from "../../support/recording-logger.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const type: ResourceType<string> = {
  typeUrl: "type.googleapis.com/test.Routes",
  shortName: "RDS",
  isFullState: false,
  decode: (bytes) => ({ ok: true, value: String(bytes), warnings: [] }),
};
const refused: ResourceState<string> = { kind: "rejected", errors: ["no domains"] };
const late: ResourceState<string> = { kind: "absent", reason: "timeout" };

test("bad news of a resource is withheld while another process serves, the good one is not", () => {
  const { gate, lines } = shutGate();
  const { states, heard } = heardOf(gate);
  states.next(refused);
  states.next(late);
  assert.deepEqual(heard, ["requested"]);
  assert.deepEqual(gate.missing, ["RDS 'r'"]);
  assert.deepEqual(lines, [
    "warning hot restart: RDS 'r' was refused: no domains: the process before this one serves on until it is there",
    "warning hot restart: RDS 'r' has not come: the process before this one serves on until it is there",
  ]);
  states.next(presentState());
  assert.deepEqual(heard, ["requested", "present"]);
  assert.deepEqual(gate.missing, []);
});

test("the last of what was withheld is told when it opens", () => {
  const { gate } = shutGate();
  const { states, heard } = heardOf(gate);
  states.next(refused);
  states.next(late);
  gate.open();
  assert.deepEqual(heard, ["requested", "absent"]);
  assert.deepEqual(gate.missing, []);
  states.next(refused);
  assert.deepEqual(heard, ["requested", "absent", "rejected"]);
});

test("it opens when the other process has ended", async () => {
  const { gate, alone, clock } = shutGate();
  const { states, heard } = heardOf(gate);
  states.next(refused);
  alone.resolve();
  await clock.advance(0);
  assert.deepEqual(heard, ["requested", "rejected"]);
});

test("bad news that comes when the other has ended already is told at once, without a word", () => {
  const { gate, transfer, lines } = shutGate();
  const { states, heard } = heardOf(gate);
  transfer.hasParent = false;
  states.next(refused);
  assert.deepEqual(heard, ["requested", "rejected"]);
  assert.deepEqual(lines, []);
});

test("without another process it is open, and no timer runs", () => {
  const clock = new VirtualClock();
  const gate = new TakeOverGate({ transfer: undefined, clock, log: recordingLogger().logger });
  const { states, heard } = heardOf(gate);
  states.next(refused);
  assert.deepEqual(heard, ["requested", "rejected"]);
  assert.equal(clock.pendingCount, 0);
});

test("who does not want the resource any more leaves nothing behind", () => {
  const { gate } = shutGate();
  const { states, subscription } = heardOf(gate);
  states.next(refused);
  subscription.unsubscribe();
  assert.deepEqual(gate.missing, []);
  assert.equal(states.observed, false);
});

test("of all of a type the first push that is accepted counts, or the first answer where nobody serves", async () => {
  for (const isOpen of [false, true]) {
    const { gate, clock, lines } = shutGate();
    if (isOpen) gate.open();
    const answered = Promise.withResolvers<"answered" | "timeout">();
    const accepted = Promise.withResolvers<void>();
    const client = { whenAnswered: () => answered.promise, whenAccepted: () => accepted.promise };
    let isDone = false;
    const done = gate.whenAnswered(client, { ...type, shortName: "LDS" });
    void done.then(() => (isDone = true));
    answered.resolve("timeout");
    await clock.advance(0);
    assert.equal(isDone, isOpen);
    assert.deepEqual(gate.missing, isOpen ? [] : ["LDS"]);
    if (isOpen) continue;
    assert.deepEqual(lines, [
      "warning hot restart: the first push of LDS has not come: the process before this one serves on until one is accepted",
    ]);
    accepted.resolve();
    await done;
    assert.deepEqual(gate.missing, []);
  }
});

test("ten minutes are its bound, and it names what is missing", async () => {
  const { gate, clock } = shutGate();
  heardOf(gate).states.next(refused);
  let reason = "";
  void gate.whenLate.then((why) => (reason = why));
  await clock.advance(599_999);
  assert.equal(reason, "");
  await clock.advance(1);
  assert.equal(reason, "hot restart: it does not serve after 600 s, without RDS 'r'");
});

test("opened or given up it leaves no timer", () => {
  for (const end of [
    (gate: TakeOverGate) => gate.open(),
    (gate: TakeOverGate) => gate[Symbol.dispose](),
  ]) {
    const { gate, clock } = shutGate();
    end(gate);
    assert.equal(clock.pendingCount, 0);
  }
});

function shutGate() {
  const clock = new VirtualClock();
  const { logger: log, lines } = recordingLogger();
  const alone = Promise.withResolvers<void>();
  const transfer = { hasParent: true, whenAlone: () => alone.promise };
  return { gate: new TakeOverGate({ transfer, clock, log }), transfer, alone, clock, lines };
}

/** Of one who waits for `r`. */
function heardOf(gate: TakeOverGate) {
  const states = new BehaviorSubject<ResourceState<string>>({ kind: "requested" });
  const heard: string[] = [];
  const subscription = gate
    .states(type, "r", states)
    .subscribe((state) => void heard.push(state.kind));
  return { states, heard, subscription };
}

function presentState(): ResourceState<string> {
  const resource = { name: "r", version: "1", bytes: new Uint8Array(), value: "good" };
  return { kind: "present", resource };
}
