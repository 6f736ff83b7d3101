/** Why a connection to a host failed, in Envoy's words. */
const errnoWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EHOSTUNREACH: "No route to host",
  ENETUNREACH: "Network is unreachable",
  ETIMEDOUT: "Connection timed out",
  EACCES: "Permission denied",
  ENOENT: "No such file or directory",
};

/**
 * Envoy's transport failure reason of a failed connect, as logs print it: without blanks. Empty where the
 * system named nothing.
 */
export function transportFailureReason(errnoName: string): string {
  if (errnoName === "") return "";
  return `delayed connect error: ${errnoWords[errnoName] ?? errnoName}`.replaceAll(" ", "_");
}
