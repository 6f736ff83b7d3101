import assert from "node:assert/strict";
import { test } from "node:test";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { readJson, writeJson } from "../../../src/control/proto/json.ts";
import { Redaction } from "../../../src/control/proto/redact.ts";

const protos = createProtoRegistry();
const redaction = new Redaction(protos);

function redacted(typeName: string, json: object): unknown {
  const schema = protos.schema(typeName);
  const read = readJson(protos, schema, json as never);
  assert(read.ok, read.ok ? "" : read.errors.join("\n"));
  const written = writeJson(protos, schema, read.value);
  redaction.apply(schema, written);
  return written;
}

const tls = "envoy.extensions.transport_sockets.tls.v3";

test("what the protos mark as sensitive loses its texts and keeps its shape", () => {
  const certificate = {
    certificate_chain: { inline_string: "shown" },
    private_key: { filename: "/etc/key.pem", watched_directory: { path: "/etc" } },
    password: { inline_bytes: "c2VjcmV0" },
  };
  assert.deepEqual(redacted(`${tls}.Secret`, { name: "s", tls_certificate: certificate }), {
    name: "s",
    tls_certificate: {
      certificate_chain: { inline_string: "shown" },
      private_key: { filename: "[redacted]", watched_directory: { path: "[redacted]" } },
      password: { inline_bytes: "W3JlZGFjdGVkXQ==" },
    },
  });
  assert.deepEqual(
    redacted(`${tls}.Secret`, {
      session_ticket_keys: { keys: [{ filename: "a" }, { inline_string: "b" }] },
    }),
    {
      session_ticket_keys: { keys: [{ filename: "[redacted]" }, { inline_string: "[redacted]" }] },
    },
  );
});

test("secrets are found in Anys, however deep", () => {
  const context = {
    "@type": `type.googleapis.com/${tls}.UpstreamTlsContext`,
    sni: "shown",
    common_tls_context: { tls_certificates: [{ private_key: { inline_string: "hidden" } }] },
  };
  const cluster = { name: "c", transport_socket: { name: "tls", typed_config: context } };
  const text = JSON.stringify(
    redacted("envoy.config.bootstrap.v3.Bootstrap", {
      static_resources: {
        clusters: [cluster],
        secrets: [{ name: "g", generic_secret: { secret: { inline_string: "hidden" } } }],
      },
    }),
  );
  assert.doesNotMatch(text, /hidden/);
  assert.equal(text.match(/\[redacted\]/g)?.length, 2);
  assert.match(text, /"sni":"shown"/);
});
