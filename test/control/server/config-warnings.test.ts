import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigWarnings } from "../../../src/control/server/config-warnings.ts";
import { recordingLogger } from "../../support/recording-logger.ts";

test("a field that is not honoured is said once and counted each time", () => {
  const { logger, lines } = recordingLogger();
  const warnings = new ConfigWarnings(logger);
  const warning = { field: "envoy.config.listener.v3.Listener.freebind", reason: "why" };
  const type = warnings.reporting({
    typeUrl: "t",
    shortName: "LDS",
    isFullState: true,
    decode: (bytes) =>
      bytes.length === 0
        ? { ok: false, errors: ["empty"] }
        : { ok: true, value: bytes.length, warnings: [warning] },
  });
  type.decode(new Uint8Array(1));
  type.decode(new Uint8Array(2));
  assert.deepEqual(type.decode(new Uint8Array()), { ok: false, errors: ["empty"] });
  assert.equal(warnings.count, 2);
  assert.deepEqual(warnings.view(), [{ ...warning, count: 2 }]);
  assert.deepEqual(lines, [
    "warning envoy.config.listener.v3.Listener.freebind is not supported: why",
  ]);
});
