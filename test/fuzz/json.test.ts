import assert from "node:assert/strict";
import { test } from "node:test";
import { toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import fc from "fast-check";
import type { Bootstrap } from "../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import { decodeBootstrap } from "../../src/control/config/bootstrap.ts";
import { readBinary } from "../../src/control/proto/binary.ts";
import { readText, writeJson } from "../../src/control/proto/json.ts";
import {
  bytesOf,
  configTools,
  decoders,
  listenerYaml,
  managerYaml,
  routesYaml,
} from "../support/config-tools.ts";
import { fuzzOptions } from "../support/fuzz-options.ts";

const { protos } = configTools;
const bootstrap = protos.schema<Bootstrap>("envoy.config.bootstrap.v3.Bootstrap");
const noFlags = { id: "", cluster: "", zone: "" };

/** Names, texts and numbers that come near to meaning something. */
const leaf = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "*",
    "0.5s",
    "-1s",
    "1e99",
    "127.0.0.1",
    "::1",
    "NaN",
    "/",
    "%REQ(a)%",
    "(a",
    true,
    null,
  ),
  fc.integer(),
  fc.double(),
  fc.string(),
);

/** A JSON object whose keys are mostly fields of the message, as deep as `depth`. */
function jsonOf(desc: DescMessage, depth: number): fc.Arbitrary<unknown> {
  if (depth === 0 || desc.fields.length === 0) return leaf;
  if (desc.typeName === "google.protobuf.Any") return anyOf(depth);
  const field = fc
    .constantFrom(...desc.fields)
    .chain((one) => valueOf(one, depth).map((value) => [one.name, value] as const));
  const fields = fc.array(field, { maxLength: 4 }).map((entries) => Object.fromEntries(entries));
  return fc.oneof({ weight: 9, arbitrary: fields }, { weight: 1, arbitrary: leaf });
}

function valueOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const one = field.message ? jsonOf(field.message, depth - 1) : leaf;
  if (field.fieldKind === "list") return fc.oneof(fc.array(one, { maxLength: 3 }), one);
  if (field.fieldKind === "map") return fc.dictionary(fc.string(), one, { maxKeys: 2 });
  return one;
}

const extensionTypes = [
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
  "envoy.extensions.access_loggers.file.v3.FileAccessLog",
  "google.protobuf.Struct",
  "udpa.type.v1.TypedStruct",
  "nope.Nope",
];

function anyOf(depth: number): fc.Arbitrary<unknown> {
  return fc.constantFrom(...extensionTypes).chain((typeName) => {
    const desc = protos.find(typeName);
    const content = desc ? jsonOf(desc, depth - 1) : leaf;
    return content.map((json) => ({
      "@type": `type.googleapis.com/${typeName}`,
      ...(typeof json === "object" ? json : { value: json }),
    }));
  });
}

test("any text is read or refused with a reason", () => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .array(
        fc.constantFrom(
          "a: ",
          "- ",
          "{",
          "}",
          "[",
          "]",
          "\n",
          " ",
          "&a ",
          "*a ",
          "!!x ",
          '"',
          "'",
          "|",
          ">",
          "#",
          ",",
        ),
      )
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (one) => {
      const read = readText(protos, bootstrap, one);
      if (!read.ok) assert(read.errors.length > 0 && read.errors.every((error) => error !== ""));
    }),
    fuzzOptions,
  );
});

test("a bootstrap of any shape is decoded or refused with reasons", () => {
  fc.assert(
    fc.property(jsonOf(bootstrap, 7), (json) => {
      const result = decodeBootstrap(configTools, {
        text: JSON.stringify(json),
        yaml: "",
        node: noFlags,
      });
      if (!result.ok) assert(result.errors.length > 0);
    }),
    fuzzOptions,
  );
});

test("what is read writes JSON that reads as the same bytes", () => {
  fc.assert(
    fc.property(jsonOf(bootstrap, 5), (json) => {
      const read = readText(protos, bootstrap, JSON.stringify(json));
      if (!read.ok) return;
      const again = readText(
        protos,
        bootstrap,
        JSON.stringify(writeJson(protos, bootstrap, read.value)),
      );
      assert(again.ok, again.ok ? "" : again.errors.join("\n"));
      assert.deepEqual(toBinary(bootstrap, again.value), toBinary(bootstrap, read.value));
    }),
    fuzzOptions,
  );
});

test("arbitrary and damaged bytes never throw", () => {
  const listener = bytesOf(
    "envoy.config.listener.v3.Listener",
    listenerYaml(
      `filter_chains: [{filters: [${managerYaml(`route_config: ${routesYaml("{match: {prefix: /}, route: {cluster: c}}")}`)}]}]`,
    ),
  );
  const damaged = fc
    .array(fc.tuple(fc.nat(listener.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((edits) => {
      const bytes = Uint8Array.from(listener);
      for (const [at, value] of edits) bytes[at] = value;
      return bytes;
    });
  const truncated = fc.nat(listener.length).map((end) => listener.subarray(0, end));
  const bytes = fc.oneof(fc.uint8Array(), damaged, truncated);
  fc.assert(
    fc.property(bytes, (one) => {
      for (const decoder of Object.values(decoders)) {
        const result = decoder.decode(one);
        if (!result.ok) {
          assert(result.errors.length > 0);
          assert.doesNotMatch(result.errors.join("\n"), /internal error/);
        }
      }
      assert.equal(typeof readBinary(bootstrap, one).ok, "boolean");
    }),
    fuzzOptions,
  );
});
