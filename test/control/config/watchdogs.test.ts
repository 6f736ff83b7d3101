import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBootstrap } from "../../../src/control/config/bootstrap.ts";
import { configTools, errorsOf, valueOf } from "../../support/config-tools.ts";

const decode = (text: string) =>
  decodeBootstrap(configTools, { text, yaml: "", node: { id: "", cluster: "", zone: "" } });

const defaults = {
  missMs: 200,
  megaMissMs: 1_000,
  killMs: 0,
  killJitterMs: 0,
  multikillMs: 0,
  multikillPercent: 0,
};

test("watchdogs have Envoy's defaults", () => {
  const { watchdogs } = valueOf(decode("{header_prefix: x}"));
  assert.deepEqual(watchdogs, { main: defaults, workers: defaults });
});

test("main and workers have a watchdog each, the deprecated one is both", () => {
  const each = valueOf(
    decode(`watchdogs:
      main_thread_watchdog: {miss_timeout: 1s, megamiss_timeout: 2s}
      worker_watchdog: {kill_timeout: 3s, max_kill_timeout_jitter: 0.5s, multikill_timeout: 4s, multikill_threshold: {value: 60}}`),
  ).watchdogs;
  assert.deepEqual(each.main, { ...defaults, missMs: 1_000, megaMissMs: 2_000 });
  assert.deepEqual(each.workers, {
    ...defaults,
    killMs: 3_000,
    killJitterMs: 500,
    multikillMs: 4_000,
    multikillPercent: 60,
  });
  const both = valueOf(decode("watchdog: {miss_timeout: 1s}")).watchdogs;
  assert.deepEqual(both.main, { ...defaults, missMs: 1_000 });
  assert.deepEqual(both.workers, both.main);
});

test("both of them are refused, in Envoy's words, and actions are warned of", () => {
  assert.deepEqual(
    errorsOf(decode("{watchdog: {miss_timeout: 1s}, watchdogs: {main_thread_watchdog: {}}}")),
    ["Only one of watchdog or watchdogs should be set!"],
  );
  const action =
    '{event: KILL, config: {name: a, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}';
  const result = decode(`watchdogs: {worker_watchdog: {actions: [${action}]}}`);
  assert.ok(result.ok);
  assert.deepEqual(
    result.warnings?.map(({ field }) => field),
    ["envoy.config.bootstrap.v3.Watchdog.actions"],
  );
});
