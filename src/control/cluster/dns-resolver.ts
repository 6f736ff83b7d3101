/**
 * Names to addresses. `getaddrinfo` by default, because it reads the hosts file and the search domains as Envoy's
 * resolver does; where a cluster wants the records' time to live, DNS itself is asked, and `getaddrinfo` again
 * for names that only the hosts file knows.
 */
import { promises as dns } from "node:dns";
import type { ClusterDiscovery } from "../../shared/config/cluster-config.ts";
import { messageOf } from "../../shared/common/errors.ts";

export type LookupFamily = Extract<ClusterDiscovery, { kind: "strictDns" }>["lookupFamily"];

export type DnsAnswer =
  | {
      readonly ok: true;
      readonly addresses: readonly string[];
      /** The shortest of the records; undefined where nobody asked or the source has none. */
      readonly ttlMs: number | undefined;
    }
  | { readonly ok: false; readonly error: string };

/** Never rejects. `wantsTtl`: `respect_dns_ttl`. */
export type ResolveDns = (
  host: string,
  family: LookupFamily,
  wantsTtl: boolean,
) => Promise<DnsAnswer>;

interface Found {
  readonly address: string;
  readonly family: 4 | 6;
  readonly ttlMs: number | undefined;
}

export const systemDns: ResolveDns = async (host, family, wantsTtl) => {
  try {
    const found = wantsTtl ? await withTtl(host) : [];
    const chosen = chooseFamily(found.length > 0 ? found : await byGetaddrinfo(host), family);
    const ttls = chosen.flatMap(({ ttlMs }) => ttlMs ?? []);
    const ttlMs = ttls.length > 0 ? Math.min(...ttls) : undefined;
    return { ok: true, addresses: chosen.map((each) => each.address), ttlMs };
  } catch (error) {
    return { ok: false, error: messageOf(error) };
  }
};

/**
 * Which of both families' addresses a cluster uses (Envoy: `dns_lookup_family`). `auto` is IPv6 and, only
 * without any, IPv4; `v4Preferred` the other way round.
 */
export function chooseFamily<T extends { readonly family: 4 | 6 }>(
  found: readonly T[],
  family: LookupFamily,
): readonly T[] {
  const v4 = found.filter((each) => each.family === 4);
  const v6 = found.filter((each) => each.family === 6);
  switch (family) {
    case "v4Only":
      return v4;
    case "v6Only":
      return v6;
    case "v4Preferred":
      return v4.length > 0 ? v4 : v6;
    case "auto":
      return v6.length > 0 ? v6 : v4;
    case "all":
      return found;
    default:
      return family satisfies never;
  }
}

async function byGetaddrinfo(host: string): Promise<readonly Found[]> {
  const found = await dns.lookup(host, { all: true, order: "verbatim" });
  return found.map(({ address, family }) => ({
    address,
    family: family === 6 ? 6 : 4,
    ttlMs: undefined,
  }));
}

/** Empty where DNS knows nothing: the hosts file may. */
async function withTtl(host: string): Promise<readonly Found[]> {
  const [v4, v6] = await Promise.allSettled([
    dns.resolve4(host, { ttl: true }),
    dns.resolve6(host, { ttl: true }),
  ]);
  const found = (
    records: PromiseSettledResult<{ address: string; ttl: number }[]>,
    family: 4 | 6,
  ): readonly Found[] =>
    records.status === "rejected"
      ? []
      : records.value.map(({ address, ttl }) => ({ address, family, ttlMs: ttl * 1_000 }));
  return [...found(v4, 4), ...found(v6, 6)];
}
