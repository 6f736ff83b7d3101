import assert from "node:assert/strict";
import { test } from "node:test";
import { drainBeganText, drainEndedText } from "../../../src/control/listener/drain-log.ts";
import { DrainRecord } from "../../../src/control/listener/drain-record.ts";
import { drainId } from "../../../src/shared/common/brand.ts";
import { noDrainCounts, drainPolicyDefaults } from "../../../src/shared/drain/drain.ts";

const { maxGenerations, ...treatment } = drainPolicyDefaults;

function record(listener: string | undefined) {
  const policy = { ...treatment, maxGenerations, timeMs: 30_500, strategy: "gradual" } as const;
  return new DrainRecord({
    start: {
      ...treatment,
      id: drainId(7),
      cause: listener === undefined ? "admin" : "lds-replace",
      startMs: 0,
      deadlineMs: 30_500,
      strategy: "gradual",
      cutsAtDeadline: true,
    },
    subject: {
      listener:
        listener === undefined ? undefined : { name: listener, generation: 3, version: "41" },
      filterChains: listener === undefined ? undefined : ["tls"],
      percent: listener === undefined ? undefined : 25,
      updateClass: listener === undefined ? undefined : "full",
      changed: listener === undefined ? [] : ["socket_options", "name"],
    },
    policy,
    direction: listener === undefined ? "inboundOnly" : "all",
    startWallMs: Date.UTC(2026, 0, 1),
    workers: 1,
  });
}

test("the line at the beginning names what drains, why, how and until when", () => {
  assert.equal(
    drainBeganText(record("shop").view()),
    "drain 7 begins: lds-replace of 25 percent of filter chains tls of listener 'shop' (generation 3, version '41'), " +
      "full update, changed: socket_options, name; gradual over 30.500s, until 2026-01-01T00:00:30.500Z; " +
      "idle spread (grace 5s), streams deadline, tcp deadline, websocket deadline, max_generations 4",
  );
});

test("the line at the end tells the whole story again, with what became of it", () => {
  const drain = record(undefined);
  drain.report(0, {
    http1: {
      ...noDrainCounts,
      atStart: 3,
      notified: 3,
      finished: 1,
      closedByPeer: 1,
      remaining: 1,
    },
    tcp: { ...noDrainCounts, atStart: 1, remaining: 1 },
  });
  drain.end("cut", "deadline", Date.UTC(2026, 0, 1, 0, 0, 31));
  assert.equal(
    drainEndedText(drain.view(), 30_512),
    "drain 7 ends: forced by deadline after 30.512 s; admin of the server's inbound listeners; " +
      "deadline 2026-01-01T00:00:30.500Z; " +
      "4 connections, 3 told, 1 finished, 1 closed by peer, 2 cut, 0 remain; " +
      "http1: 3 connections, 3 told, 1 finished, 1 closed by peer, 1 cut, 0 remain; " +
      "tcp: 1 connections, 0 told, 0 finished, 0 closed by peer, 1 cut, 0 remain",
  );
});
