/** What a client and the log are told of a failed connect: measured on Envoy 1.40. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { resetFailure } from "../../../../src/data/http/upstream/exchange-failure.ts";
import { transportFailureReason } from "../../../../src/data/network/transport-failure.ts";

test("the transport's reason is in the details, not in the body", () => {
  const reason = transportFailureReason("ECONNREFUSED");
  assert.equal(reason, "delayed_connect_error:_Connection_refused");
  const { body, details } = resetFailure("connectionFailure", reason, false);
  assert.equal(
    body,
    "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
  );
  assert.equal(
    details,
    "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
  );
});

test("without a reason of the transport nothing is added", () => {
  assert.equal(transportFailureReason(""), "");
  const { details } = resetFailure("connectionTimeout", "", false);
  assert.equal(details, "upstream_reset_before_response_started{connection_timeout}");
});
