import type { RouteMatch as MatchMessage } from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type { FractionalPercent } from "../../../gen/es/envoy/type/v3/percent_pb.d.ts";
import type { HeaderMatcher } from "../../shared/config/matchers.ts";
import type { PathMatcher, RouteMatch } from "../../shared/config/route-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderMatcher, decodeQueryParameterMatcher, decodeRegex } from "./matchers.ts";

/** Envoy: `Grpc::Common::isGrpcRequestHeaders`. */
const isGrpc: HeaderMatcher = {
  name: "content-type",
  match: {
    kind: "string",
    matcher: { kind: "regex", regex: { source: "application/grpc(\\+.*)?" } },
  },
  invert: false,
  treatMissingAsEmpty: false,
};

export function decodeRouteMatch(message: MatchMessage, context: DecodeContext): RouteMatch {
  const headers = message.headers.map((header) => decodeHeaderMatcher(header, context));
  const fraction = message.runtimeFraction;
  return {
    path: decodePath(message, context),
    caseSensitive: message.caseSensitive ?? true,
    headers: message.grpc ? [...headers, isGrpc] : headers,
    queryParameters: message.queryParameters.map((one) =>
      decodeQueryParameterMatcher(one, context),
    ),
    runtimeFraction: fraction && {
      runtimeKey: fraction.runtimeKey,
      otherwise: fraction.defaultValue ? millionths(fraction.defaultValue) : 0,
    },
  };
}

function decodePath({ pathSpecifier: path }: MatchMessage, context: DecodeContext): PathMatcher {
  switch (path.case) {
    case "prefix":
      return { kind: "prefix", value: path.value };
    case "path":
      return { kind: "exact", value: path.value };
    case "pathSeparatedPrefix":
      return { kind: "pathSeparatedPrefix", value: path.value };
    case "safeRegex":
      return { kind: "regex", regex: decodeRegex(path.value, context) };
    case "connectMatcher":
      return { kind: "connect" };
    case "pathMatchPolicy":
    case undefined:
      // Refused by the field policy or the validation rules.
      return { kind: "prefix", value: "" };
    default:
      return path satisfies never;
  }
}

/** By the numbers of `FractionalPercent.DenominatorType`: of a hundred, ten thousand, a million. */
const perMillion = [10_000, 100, 1] as const;

export function millionths({ numerator, denominator }: FractionalPercent): number {
  return Math.min(numerator * (perMillion[denominator] ?? 1), 1_000_000);
}
