/** Transport sockets and who speaks through them, in proto3 JSON. */
import type { TestAuthority, TestCertificate } from "./certificates.ts";

const type = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

export const inlinePair = ({ certificate, privateKey }: TestCertificate): object => ({
  certificate_chain: { inline_string: certificate },
  private_key: { inline_string: privateKey },
});

export const trusts = (authority: TestAuthority, fields: object = {}): object => ({
  trusted_ca: { inline_string: authority.certificate },
  ...fields,
});

export const secretOf = (name: string, certificate: TestCertificate): object => ({
  name,
  tls_certificate: inlinePair(certificate),
});

export function serverSocket(common: object, fields: object = {}): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${type}.DownstreamTlsContext`,
      common_tls_context: common,
      ...fields,
    },
  };
}

export function clientSocket(common: object, fields: object = {}): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": `${type}.UpstreamTlsContext`, common_tls_context: common, ...fields },
  };
}

/** In either spelling of proto3 JSON. */
interface Chains {
  readonly filter_chains?: readonly object[];
  readonly filterChains?: readonly object[];
}

/** The listener with every filter chain under TLS. */
export function underTls(listener: object, socket: object, fields: object = {}): object {
  const { filter_chains, filterChains, ...rest } = listener as Chains;
  const chains = filter_chains ?? filterChains ?? [];
  const secured = chains.map((chain) => ({ ...chain, transport_socket: socket, ...fields }));
  return { ...rest, filter_chains: secured };
}
