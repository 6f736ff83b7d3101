import assert from "node:assert/strict";
import { test } from "node:test";
import { reportText } from "../../bench/report.ts";

test("reportText() puts Sluice first and says what part of each peer it costs", () => {
  const text = reportText({
    versions: { envoy: "1.40.0", sluice: "0.1.0" },
    peakResidentMib: { envoy: 75, sluice: 60.04 },
    results: [
      { proxy: "envoy", case: "get", unit: "µs/request", samples: [40, 30, 50] },
      { proxy: "sluice", case: "get", unit: "µs/request", samples: [11, 10, 9] },
    ],
  });
  const [title, first, second] = text.split("\n");
  assert.equal(title, "get, µs/request");
  assert.match(first ?? "", /^ {2}sluice +10\.0 +\[9\.00 - 11\.0\]$/);
  assert.match(second ?? "", /^ {2}envoy +40\.0 +\[30\.0 - 50\.0\] +sluice is 0\.25 of it$/);
  assert.match(text, /sluice +60\.0 MiB +0\.1\.0/);
});
