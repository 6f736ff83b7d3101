/** What a context holds the leaf of a peer against, apart from its chain; undefined: nothing. */
import type { PeerValidation } from "../../shared/config/tls-config.ts";
import type { PeerJudge } from "../../shared/io/tls/tls.ts";
import { judgePeer } from "../../shared/tls/peer-verification.ts";

export function peerJudge(validation: PeerValidation | undefined): PeerJudge | undefined {
  if (!validation) return undefined;
  const { subjectAltNames, certificateHashes, spkiHashes } = validation;
  if (subjectAltNames.length + certificateHashes.length + spkiHashes.length === 0) return undefined;
  return (leaf) => judgePeer(leaf, validation);
}
