/** What filters that see heads alone do to one request and its response, and whole ones to its response's head. */
import type { FilterManager } from "../filters/filter-manager.ts";
import { firstRefusal, type HttpFilters } from "../filters/http-filter.ts";
import type { HeadChange } from "../headers/header-mutations.ts";
import type { HttpContext } from "../http-context.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import type { ComposedRequest } from "../composer/request-composer.ts";
import type { CompiledRoute } from "../router/compiled-route.ts";

const noChanges: readonly HeadChange[] = [];

/** Of the head that was parsed last; our own fields stand beside it from now on. Undefined: all let it pass. */
export function filterHead(
  request: ComposedRequest,
  filters: HttpFilters,
  { requestComposer, reactor }: HttpContext,
): LocalReplyReason | undefined {
  const extra = requestComposer.prepare(request);
  const refusal = firstRefusal(filters, reactor.arena.bytes, extra, request.info);
  requestComposer.capture(request.info);
  return refusal;
}

/** The router's own come first: filters see what it did. */
export function responseChanges(
  route: CompiledRoute | undefined,
  { ofResponses }: HttpFilters,
  manager: FilterManager | undefined,
): readonly HeadChange[] {
  const ofRoute = route?.responseMutations ?? noChanges;
  if (manager !== undefined) return [...ofRoute, manager.encodeChange];
  return ofResponses.length === 0 ? ofRoute : [...ofRoute, ...ofResponses];
}
