/** Envoy's defaults of HTTP/1, but for what a test sets. */
import type {
  ClientHttp1Options,
  Http1Options,
  ServerHttp1Options,
} from "../../src/shared/config/http1-options.ts";

const both: Http1Options = {
  trailers: false,
  headerCase: { kind: "lower" },
  allowsChunkedLength: false,
};

export function serverHttp1(overrides: Partial<ServerHttp1Options> = {}): ServerHttp1Options {
  return {
    ...both,
    acceptsHttp10: false,
    defaultHostForHttp10: "",
    allowsAbsoluteUrl: true,
    allowsCustomMethods: false,
    keepsConnectionOnError: false,
    ignoredUpgrades: [],
    ...overrides,
  };
}

export function clientHttp1(overrides: Partial<ClientHttp1Options> = {}): ClientHttp1Options {
  return { ...both, sendsFullUrl: false, ...overrides };
}
