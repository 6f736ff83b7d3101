/**
 * `envoy.filters.http.credential_injector`: puts a secret into a header of each request. Of the ways to get the
 * credential the generic one is built: a generic secret of SDS, or of the bootstrap.
 */
import type { CredentialInjector } from "../../../gen/es/envoy/extensions/filters/http/credential_injector/v3/credential_injector_pb.d.ts";
import type { Generic } from "../../../gen/es/envoy/extensions/http/injected_credentials/generic/v3/generic_pb.d.ts";
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { findExtension } from "./extensions.ts";
import { secretId } from "./secret-config.ts";
import { decodeSecretReference } from "./secrets.ts";

export const credentialInjectorTypeName =
  "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector" as const;
const genericTypeName = "envoy.extensions.http.injected_credentials.generic.v3.Generic" as const;

/** Docs: `Generic.header`, "if not set, defaults to Authorization". */
const headerDefault = "authorization";

export function decodeCredentialInjector(
  { credential, overwrite, allowRequestWithoutCredential }: CredentialInjector,
  needs: ListenerNeeds,
  context: DecodeContext,
): PlainHttpFilterConfig | undefined {
  const request = { name: credential?.name ?? "", any: credential?.typedConfig };
  const found = findExtension("injected credential", request, context);
  const generic =
    found && context.read(found.config, context.protos.schema<Generic>(genericTypeName));
  // The validation rules require a credential.
  if (!generic?.credential) return undefined;
  const secret = decodeSecretReference(generic.credential, "genericSecret", context);
  needs.dependencies.push({ kind: "sds", secret });
  return {
    kind: "credentialInjector",
    secret: secretId(secret),
    header: generic.header === "" ? headerDefault : generic.header.toLowerCase(),
    prefix: generic.headerValuePrefix,
    overwrite,
    allowsRequestWithoutCredential: allowRequestWithoutCredential,
  };
}
