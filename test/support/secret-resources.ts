/** Generic secrets and who injects them, in proto3 JSON. */
import { fromAds, httpListener } from "./truth-resources.ts";

const types = "type.googleapis.com/envoy.extensions";

export const router = {
  name: "envoy.filters.http.router",
  typed_config: { "@type": `${types}.filters.http.router.v3.Router` },
};

export const genericSecret = (name: string, text: string): object => ({
  name,
  generic_secret: { secret: { inline_string: text } },
});

export function credentialInjector(name: string, source: object | "bootstrap" = fromAds): object {
  return {
    name: "envoy.filters.http.credential_injector",
    typed_config: {
      "@type": `${types}.filters.http.credential_injector.v3.CredentialInjector`,
      credential: {
        name: "envoy.http.injected_credentials.generic",
        typed_config: {
          "@type": `${types}.http.injected_credentials.generic.v3.Generic`,
          credential: { name, ...(source === "bootstrap" ? {} : { sds_config: source }) },
        },
      },
    },
  };
}

/** Sends all to `cluster`, through HTTP filters before the router. */
export function filteredListener(
  name: string,
  cluster: string,
  filters: readonly object[],
): object {
  return httpListener(name, {
    http_filters: [...filters, router],
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] },
      ],
    },
  });
}

/** A DiscoveryResponse as a file holds it. */
export function secretFile(version: string, secrets: readonly object[]): string {
  const typeUrl = `${types}.transport_sockets.tls.v3.Secret`;
  return JSON.stringify({
    version_info: version,
    resources: secrets.map((secret) => ({ "@type": typeUrl, ...secret })),
  });
}

const headerMutationUrl = `${types}.filters.http.header_mutation.v3.HeaderMutation`;

/** An HTTP filter whose configuration comes by ECDS. */
export const discoveredFilter = (
  name: string,
  fields: object = {},
  typeUrls = [headerMutationUrl],
): object => ({
  name,
  config_discovery: { config_source: fromAds, type_urls: typeUrls, ...fields },
});

/** Sets `x-version` of requests and responses. */
export function versionMutation(version: string): object {
  const mutation = {
    append: {
      header: { key: "x-version", value: version },
      append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
    },
  };
  return {
    "@type": headerMutationUrl,
    mutations: { request_mutations: [mutation], response_mutations: [mutation] },
  };
}

export const extensionConfig = (name: string, typedConfig: object): object => ({
  name,
  typed_config: typedConfig,
});
