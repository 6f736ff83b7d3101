/** Finds the endpoint of a path and refuses wrong methods, in Envoy's words. */
import {
  type AnyEndpoint,
  type AdminRequest,
  type AdminResponse,
  textResponse,
} from "./endpoint.ts";

/** More than any form needs. */
const bodyBytesMaxDefault = 64 * 1024;

export interface AdminRouter {
  /** Of a request to this path. */
  bodyBytesMax(path: string): number;
  /** `path` without its query. Never rejects: an endpoint that throws is answered with 500. */
  route(
    method: string,
    path: string,
    request: Omit<AdminRequest, "method" | "rest">,
  ): Promise<AdminResponse>;
}

/** `isAllowed`: the bootstrap's `allow_paths`; a path that it refuses is as good as unknown. */
export function createAdminRouter(
  endpoints: readonly AnyEndpoint[],
  isAllowed: (path: string) => boolean,
  onBug: (error: unknown) => void,
): AdminRouter {
  const byPath = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]));
  return {
    bodyBytesMax: (path) => byPath.get(path)?.bodyBytesMax ?? bodyBytesMaxDefault,
    async route(method, path, request) {
      if (!isAllowed(path)) return textResponse(`request to path ${path} not allowed`, 403);
      const endpoint = byPath.get(path) ?? endpoints.find((each) => isBelow(path, each));
      if (!endpoint)
        return textResponse(`invalid path. admin commands are:\n${helpOf(endpoints)}`, 404);
      if (endpoint.isMutation && method !== "POST")
        return textResponse(`Method ${method} not allowed, POST required.`, 405);
      if (!["GET", "HEAD", "POST"].includes(method))
        return textResponse(`Method ${method} not allowed, GET required.`, 405);
      try {
        return await endpoint.handle({
          ...request,
          method,
          rest: path.slice(endpoint.path.length),
        });
      } catch (error) {
        onBug(error);
        return textResponse("internal error, see the log\n", 500);
      }
    },
  };
}

/** The home page is `/` and stands for itself alone. */
function isBelow(path: string, endpoint: AnyEndpoint): boolean {
  return endpoint.path.length > 1 && endpoint.path.endsWith("/") && path.startsWith(endpoint.path);
}

/** The list of `/help`: sorted by path, parameters below. */
export function helpOf(endpoints: readonly AnyEndpoint[]): string {
  return endpoints
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .flatMap(({ path, isMutation, help, parameters = [] }) => [
      `  ${path}${isMutation ? " (POST)" : ""}: ${help}\n`,
      ...parameters.map(
        (p) => `      ${p.name}: ${p.help}${p.oneOf ? `; One of (${p.oneOf.join(", ")})` : ""}\n`,
      ),
    ])
    .join("");
}
