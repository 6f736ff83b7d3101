/**
 * A bound on every DNS lookup. `getaddrinfo` cannot be called off and holds one of the process's few
 * threads, so a name whose lookup hangs is answered by an error at the deadline and not asked for again
 * while it hangs.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { DnsAnswer, ResolveDns } from "./dns-resolver.ts";

/** As long as c-ares takes to give up with Envoy's defaults: four tries of 5 s. */
export const lookupMsMax = 20_000;

/** Never rejects, never takes longer than `timeoutMs`. */
export function withDeadline(
  resolve: ResolveDns,
  clock: Clock,
  timeoutMs: number = lookupMsMax,
): ResolveDns {
  const pending = new Map<string, Promise<DnsAnswer>>();
  return async (host, family, wantsTtl) => {
    const key = `${family} ${wantsTtl} ${host}`;
    const lookup = pending.get(key) ?? resolve(host, family, wantsTtl);
    if (!pending.has(key)) {
      pending.set(key, lookup);
      void lookup.finally(() => pending.delete(key));
    }
    const late = Promise.withResolvers<DnsAnswer>();
    using _timer = clock.startTimer(timeoutMs, () =>
      late.resolve({ ok: false, error: `no answer within ${timeoutMs / 1_000} s` }),
    );
    return await Promise.race([lookup, late.promise]);
  };
}
