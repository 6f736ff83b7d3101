/** Handshakes and their failures, counted as Envoy counts them, of either side (Envoy: `ContextImpl::logHandshake`). */
import type { TlsFailure, TlsSession } from "../../shared/io/tls/tls.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { tlsStats } from "../../shared/stats/tls-stats.ts";

const handshakes = tlsStats.offset("ssl.handshake");
const resumed = tlsStats.offset("ssl.session_reused");
const noCertificate = tlsStats.offset("ssl.no_certificate");

const stapleRequests = tlsStats.offset("ssl.ocsp_staple_requests");
const staples = {
  given: tlsStats.offset("ssl.ocsp_staple_responses"),
  none: tlsStats.offset("ssl.ocsp_staple_omitted"),
  refused: tlsStats.offset("ssl.ocsp_staple_failed"),
} as const;

/** Undefined: the peer went, which is counted as the end of the connection alone. */
const failures: Readonly<Record<TlsFailure["kind"], number | undefined>> = {
  protocol: tlsStats.offset("ssl.connection_error"),
  staple: tlsStats.offset("ssl.connection_error"),
  certificate: tlsStats.offset("ssl.fail_verify_error"),
  name: tlsStats.offset("ssl.fail_verify_san"),
  hash: tlsStats.offset("ssl.fail_verify_cert_hash"),
  noCertificate: tlsStats.offset("ssl.fail_verify_no_cert"),
  closed: undefined,
};

/** Of what was negotiated; a name that is not among them is not counted. */
const offsets: ReadonlyMap<string, number> = new Map(
  tlsStats.members.map(({ name, offset }) => [name, offset]),
);

export function countHandshake(slab: StatSlab, block: StatBlock, session: TlsSession): void {
  slab.add(block, handshakes);
  if (session.isResumed) slab.add(block, resumed);
  if (!session.peerChain) slab.add(block, noCertificate);
  countName(slab, block, `ssl.ciphers.${session.cipher}`);
  countName(slab, block, `ssl.versions.${session.version}`);
  if (session.curve !== "") countName(slab, block, `ssl.curves.${session.curve}`);
  if (session.peerSignature !== "") countName(slab, block, `ssl.sigalgs.${session.peerSignature}`);
  if (session.staple !== "notAsked") countStaple(slab, block, session.staple);
}

export function countFailure(slab: StatSlab, block: StatBlock, { kind }: TlsFailure): void {
  const offset = failures[kind];
  if (offset !== undefined) slab.add(block, offset);
  if (kind === "staple") countStaple(slab, block, "refused");
}

function countStaple(slab: StatSlab, block: StatBlock, answer: keyof typeof staples): void {
  slab.add(block, stapleRequests);
  slab.add(block, staples[answer]);
}

function countName(slab: StatSlab, block: StatBlock, name: string): void {
  const offset = offsets.get(name);
  if (offset !== undefined) slab.add(block, offset);
}
