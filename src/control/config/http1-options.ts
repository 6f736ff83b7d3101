/** `Http1ProtocolOptions`, as listeners and as clusters read it. */
import type { Http1ProtocolOptions } from "../../../gen/es/envoy/config/core/v3/protocol_pb.d.ts";
import type { PreserveCaseFormatterConfig } from "../../../gen/es/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.d.ts";
import type {
  ClientHttp1Options,
  HeaderCase,
  Http1Options,
  ServerHttp1Options,
} from "../../shared/config/http1-options.ts";
import type { DecodeContext } from "./decode-context.ts";
import { findExtension } from "./extensions.ts";
import { decodeStringMatcher } from "./matchers.ts";

const preserveCase =
  "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig" as const;
/** By the number of `FormatterTypeOnEnvoyHeaders`. */
const properCase = 1;

/** `isMessageErrorOfStream`: what the connection manager says of it. */
export function decodeServerHttp1(
  message: Http1ProtocolOptions | undefined,
  isMessageErrorOfStream: boolean | undefined,
  context: DecodeContext,
): ServerHttp1Options {
  return {
    ...decodeBoth(message, context),
    acceptsHttp10: message?.acceptHttp10 ?? false,
    defaultHostForHttp10: message?.defaultHostForHttp10 ?? "",
    allowsAbsoluteUrl: message?.allowAbsoluteUrl ?? true,
    allowsCustomMethods: message?.allowCustomMethods ?? false,
    keepsConnectionOnError:
      message?.overrideStreamErrorOnInvalidHttpMessage ?? isMessageErrorOfStream ?? false,
    ignoredUpgrades: (message?.ignoreHttp11Upgrade ?? []).map((matcher) =>
      decodeStringMatcher(matcher, context),
    ),
  };
}

export function decodeClientHttp1(
  message: Http1ProtocolOptions | undefined,
  context: DecodeContext,
): ClientHttp1Options {
  return {
    ...decodeBoth(message, context),
    sendsFullUrl: message?.sendFullyQualifiedUrl ?? false,
  };
}

function decodeBoth(
  message: Http1ProtocolOptions | undefined,
  context: DecodeContext,
): Http1Options {
  return {
    trailers: message?.enableTrailers ?? false,
    headerCase: decodeHeaderCase(message, context),
    allowsChunkedLength: message?.allowChunkedLength ?? false,
  };
}

function decodeHeaderCase(
  message: Http1ProtocolOptions | undefined,
  context: DecodeContext,
): HeaderCase {
  const format = message?.headerKeyFormat?.headerFormat;
  switch (format?.case) {
    case "properCaseWords":
      return { kind: "proper" };
    case "statefulFormatter": {
      const { name, typedConfig: any } = format.value;
      const found = findExtension("header formatter", { name, any }, context);
      const schema = context.protos.schema<PreserveCaseFormatterConfig>(preserveCase);
      const config = found && context.read(found.config, schema);
      const othersProper = Number(config?.formatterTypeOnEnvoyHeaders ?? 0) === properCase;
      return { kind: "preserve", othersProper };
    }
    case undefined:
      return { kind: "lower" };
    default:
      return format satisfies never;
  }
}
