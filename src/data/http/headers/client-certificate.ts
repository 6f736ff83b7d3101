/**
 * `x-forwarded-client-cert` (docs: configuration/http/http_conn_man/headers, x-forwarded-client-cert; Envoy:
 * `ConnectionManagerUtility::mutateXfccRequestHeader`): what becomes of the one that came, and what is said of the client's own
 * certificate. The latter is made once a connection.
 */
import type { X509Certificate } from "node:crypto";
import type { ClientCertConfig } from "../../../shared/config/http-config.ts";
import type { TlsSession } from "../../../shared/io/tls/tls.ts";
import { encodedPem, fingerprint256, nameText, sansOf } from "../../network/certificate-texts.ts";

export interface ClientCertVerdict {
  /** Those that came go. */
  readonly drops: boolean;
  /** Said of this client; undefined: nothing. */
  readonly own: string | undefined;
}

const keeps: ClientCertVerdict = { drops: false, own: undefined };
const sanitizes: ClientCertVerdict = { drops: true, own: undefined };

/** Of one version of a connection manager's configuration. */
export class ClientCertificates {
  readonly #config: ClientCertConfig;
  readonly #verdicts = new WeakMap<TlsSession, ClientCertVerdict>();

  constructor(config: ClientCertConfig) {
    this.#config = config;
  }

  /** `appendForward`: `own` follows what came, which stays. */
  get appends(): boolean {
    return this.#config.forward === "appendForward";
  }

  /** `session`: of the client; undefined: plain text. */
  verdict(session: TlsSession | undefined): ClientCertVerdict {
    const { forward } = this.#config;
    if (forward === "alwaysForwardOnly") return keeps;
    if (forward === "sanitize" || session === undefined) return sanitizes;
    const known = this.#verdicts.get(session);
    if (known) return known;
    const made = this.#judge(session);
    this.#verdicts.set(session, made);
    return made;
  }

  #judge(session: TlsSession): ClientCertVerdict {
    if (!session.peerChain?.[0]) return sanitizes;
    if (this.#config.forward === "forwardOnly") return keeps;
    return { drops: !this.appends, own: clientCertText(session, this.#config) };
  }
}

/** Undefined fields are left out; `Subject` and `URI` are said although they may be empty. */
function clientCertText(session: TlsSession, { details }: ClientCertConfig): string {
  const { peerChain = [], ownCertificate } = session;
  const [leaf] = peerChain;
  if (!leaf) return "";
  const parts = ownCertificate ? sansOf(ownCertificate, "uri").map((uri) => `By=${uri}`) : [];
  parts.push(`Hash=${fingerprint256(leaf)}`);
  if (details.cert) parts.push(`Cert="${encodedPem(leaf)}"`);
  if (details.chain) parts.push(`Chain="${peerChain.map(encodedPem).join("")}"`);
  if (details.subject) parts.push(`Subject="${nameText(leaf.subject)}"`);
  if (details.uri) parts.push(...uriParts(leaf));
  if (details.dns) parts.push(...sansOf(leaf, "dns").map((name) => `DNS=${name}`));
  return parts.join(";");
}

function uriParts(leaf: X509Certificate): readonly string[] {
  const uris = sansOf(leaf, "uri");
  return uris.length === 0 ? ["URI="] : uris.map((uri) => `URI=${uri}`);
}
