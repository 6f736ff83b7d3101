/** `sluice restarter`: runs a command, and starts it anew beside itself on SIGHUP. Modules come once signals are kept. */
import { SignalInbox } from "./signal-inbox.ts";

const signals = new SignalInbox();
const { runSubcommand } = await import("../run-subcommand.ts");
await runSubcommand("restarter", async () => {
  const { runRestarter } = await import("./run-restarter.ts");
  return await runRestarter(process.argv.slice(2), signals);
});
// Whatever a killed process left open must not keep this one.
process.exit();
