/**
 * `SteadyClients` as a program, for a network that is not the test's: the port is its argument. Prints a line after every ten
 * answers, and when it is told to end what has failed.
 */
import { SteadyClients } from "./steady-clients.ts";

const clients = new SteadyClients(Number(process.argv[2]), 4, {
  keepAlive: false,
  mayBeRefused: false,
  gapMs: 5,
});
let told = 0;
const ticking = setInterval(() => {
  for (; told + 10 <= clients.completed; told += 10) process.stdout.write("ten\n");
}, 20);
process.once("SIGTERM", () => {
  clearInterval(ticking);
  void clients
    .stop()
    .then((failures) => process.stdout.write(`failed ${JSON.stringify(failures)}\n`));
});
