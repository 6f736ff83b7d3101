import assert from "node:assert/strict";
import { test } from "node:test";
import { secretId } from "../../../src/control/config/secret-config.ts";
import {
  bytesOf,
  decodeListenerYaml,
  decoders,
  errorsOf,
  listenerYaml,
  managerYaml,
  routerYaml,
  routesYaml,
  valueOf,
} from "../../support/config-tools.ts";

const decodeSecretYaml = (yaml: string) =>
  decoders.secrets.decode(bytesOf("envoy.extensions.transport_sockets.tls.v3.Secret", yaml));

const types = "type.googleapis.com/envoy.extensions";

function injectorYaml(generic: string, fields = ""): string {
  return `{name: injector, typed_config: {"@type": ${types}.filters.http.credential_injector.v3.CredentialInjector, credential: {name: generic, typed_config: {"@type": ${types}.http.injected_credentials.generic.v3.Generic, ${generic}}}${fields}}}`;
}

const listenerWith = (injector: string): string =>
  listenerYaml(
    `filter_chains: [{filters: [${managerYaml(`route_config: ${routesYaml("{match: {prefix: /}, direct_response: {status: 200}}")}`, `${injector}, ${routerYaml}`)}]}]`,
  );

test("a secret is what its kind says, with its sources unread", () => {
  const { name, value } = valueOf(
    decodeSecretYaml(
      "{name: s, tls_certificate: {certificate_chain: {filename: /c}, private_key: {environment_variable: KEY}, watched_directory: {path: /w}}}",
    ),
  );
  assert.equal(name, "s");
  assert.deepEqual(value, {
    kind: "tlsCertificate",
    certificate: {
      certificateChain: { kind: "file", path: "/c", watchedDirectory: undefined },
      privateKey: { kind: "environment", name: "KEY" },
      password: undefined,
      ocspStaple: undefined,
      watchedDirectory: "/w",
    },
  });
});

test("a secret without a kind, without keys, or with what is not built is refused", () => {
  assert.deepEqual(errorsOf(decodeSecretYaml("{name: s}")), ["Secret type not implemented"]);
  assert.match(
    errorsOf(decodeSecretYaml("{name: s, session_ticket_keys: {}}")).join(),
    /TlsSessionTicketKeysValidationError.Keys: value must contain at least 1 item/,
  );
  assert.match(
    errorsOf(decodeSecretYaml("{name: s, tls_certificate: {pkcs12: {filename: a}}}")).join(),
    /pkcs12 is not supported: certificates are PEM here/,
  );
  assert.deepEqual(
    errorsOf(
      decodeSecretYaml(
        `{name: s, validation_context: {verify_certificate_hash: ["${"z".repeat(64)}"]}}`,
      ),
    ),
    [`Invalid hex-encoded SHA-256 ${"z".repeat(64)}`],
  );
});

test("a credential injector makes its listener wait for the secret, which its source tells apart", () => {
  const listener = valueOf(
    decodeListenerYaml(
      listenerWith(
        `${injectorYaml("credential: {name: a, sds_config: {ads: {}}}", ", overwrite: true")}, ${injectorYaml("credential: {name: a, sds_config: {path_config_source: {path: /s}}}, header: X-Key, header_value_prefix: 'key '")}, ${injectorYaml("credential: {name: a, sds_config: {ads: {}}}")}, ${injectorYaml("credential: {name: a}")}`,
      ),
    ),
  );
  assert.deepEqual(
    listener.dependencies.map((one) => one.kind === "sds" && one.secret.source?.kind),
    ["ads", "path", undefined],
  );
  const [chain] = listener.config.filterChains;
  const [manager] = chain?.filters ?? [];
  assert(manager?.kind === "httpConnectionManager");
  const [first, second] = manager.config.filters;
  const [ads, path] = listener.dependencies.flatMap((one) =>
    one.kind === "sds" ? [secretId(one.secret)] : [],
  );
  const common = {
    kind: "credentialInjector",
    filterName: "injector",
    allowsRequestWithoutCredential: false,
  };
  assert.deepEqual(first, {
    ...common,
    secret: ads,
    header: "authorization",
    prefix: "",
    overwrite: true,
  });
  assert.deepEqual(second, {
    ...common,
    secret: path,
    header: "x-key",
    prefix: "key ",
    overwrite: false,
  });
  assert.deepEqual(listener.facts.credentialStatPrefixes, ["web"]);
});

test("another way to get a credential is refused by name", () => {
  const yaml = listenerWith(
    `{name: injector, typed_config: {"@type": ${types}.filters.http.credential_injector.v3.CredentialInjector, credential: {name: oauth2, typed_config: {"@type": ${types}.http.injected_credentials.oauth2.v3.OAuth2}}}}`,
  );
  assert.match(
    errorsOf(decodeListenerYaml(yaml)).join(),
    /registered implementation for 'oauth2'.*built are envoy.http.injected_credentials.generic/,
  );
});
