/** What the process was given by the service manager that has started it, if one has: only then is any of it loaded. */
import type { Clock } from "../../shared/common/clock.ts";
import { descriptorsHandedOver } from "../../shared/common/handed-descriptors.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { ServiceManager } from "../../shared/common/service-manager.ts";
import type { ListenSockets } from "../../shared/io/listen-sockets.ts";
import type { SocketActivation } from "./socket-activation.ts";

/** Undefined: it was given no sockets. */
export async function activatedSockets(
  { adoptListenSocket }: Pick<ListenSockets, "adoptListenSocket">,
  log: Logger,
): Promise<SocketActivation | undefined> {
  const { env, pid } = process;
  const count = descriptorsHandedOver(env, pid);
  if (count === 0) return undefined;
  if (!adoptListenSocket) {
    log.warning("LISTEN_FDS: this reactor takes no sockets of others: it opens its own");
    return undefined;
  }
  const [{ handedSockets }, { duplicate }, { closeDescriptors }, activation] = await Promise.all([
    import("../../shared/io/handed-sockets.ts"),
    import("../../shared/io/descriptor-stream.ts"),
    import("../../shared/io/descriptor-socket.ts"),
    import("./socket-activation.ts"),
  ]);
  return new activation.SocketActivation({
    sockets: handedSockets(count),
    env,
    log,
    duplicate,
    close: (descriptor) => closeDescriptors([descriptor]),
  });
}

/** Undefined: it wants to be told nothing. */
export async function serviceManager(
  clock: Clock,
  log: Logger,
): Promise<ServiceManager | undefined> {
  if ((process.env["NOTIFY_SOCKET"] ?? "") === "") return undefined;
  const { openServiceManager } = await import("../../shared/io/notify-socket.ts");
  const { env, pid } = process;
  return openServiceManager({ env, pid, clock, onFailure: (why) => log.error(why) });
}
