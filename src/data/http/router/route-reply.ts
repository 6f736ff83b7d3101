/** The answer of a route that leads to no cluster (docs: `DirectResponseAction`, `RedirectAction`). */
import type { ClusterAction, RouteAction } from "../../../shared/config/route-config.ts";
import type { LocalReply } from "../composer/response-composer.ts";
import type { RoutedRequest } from "./compiled-route.ts";
import { redirectLocation, type Rewrite } from "./rewrite.ts";

export function routeReply(
  action: Exclude<RouteAction, ClusterAction>,
  rewrite: Rewrite | undefined,
  request: RoutedRequest,
): LocalReply {
  const { status } = action;
  if (action.kind === "directResponse") return { status, body: action.body, fields: [] };
  const location = redirectLocation(action, rewrite, {
    path: request.path,
    query: request.queryText(),
    authority: request.authorityText(),
    scheme: request.scheme(),
  });
  return { status, body: "", fields: [["location", location]] };
}
