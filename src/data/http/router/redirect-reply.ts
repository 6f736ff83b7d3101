/** The answer of a route that redirects (docs: `RedirectAction`). */
import type { RedirectAction } from "../../../shared/config/route-config.ts";
import type { LocalReply } from "../response-composer.ts";
import type { RoutedRequest } from "./compiled-route.ts";
import { redirectLocation, type Rewrite } from "./rewrite.ts";

export function redirectReply(
  action: RedirectAction,
  rewrite: Rewrite | undefined,
  request: RoutedRequest,
): LocalReply {
  const location = redirectLocation(action, rewrite, {
    path: request.path,
    query: request.queryText(),
    authority: request.authorityText(),
    scheme: request.scheme(),
  });
  return { status: action.status, body: "", fields: [["location", location]] };
}
