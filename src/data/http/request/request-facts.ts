/** What a filter is told of its request. */
import { formatAddress } from "../../../shared/common/address.ts";
import type { RequestFacts } from "../../../shared/http-filter/http-filter.ts";
import type { ConnectionFacts } from "../../network/filter-chain-match.ts";
import type { RequestInfo } from "./request-info.ts";
import type { RequestView } from "./request-view.ts";

/** Of the head that was parsed last. */
export function requestFacts(
  info: RequestInfo,
  view: RequestView,
  { remoteAddress }: ConnectionFacts,
  clusterName: string,
): RequestFacts {
  return {
    method: view.pseudoHeader(":method") ?? "",
    path: view.isConnect ? "" : view.pathAndQuery(),
    authority: view.authorityText(),
    protocol: info.protocol,
    remoteAddress: formatAddress(remoteAddress),
    routeName: info.routeName ?? "",
    clusterName,
  };
}
