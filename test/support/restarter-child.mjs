// What `sluice restarter` runs in tests: writes into a file of the working directory what it lives through, a line each.
// By the file `config`: `bad` makes it end at once, `deaf` makes it hear no SIGTERM.
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";

const epoch = process.env["RESTART_EPOCH"];
const config = readFileSync("config", "utf8").trim();
const say = (what) => appendFileSync("said", `${epoch} ${what}\n`);
process.on("SIGUSR1", () => say("SIGUSR1"));
process.on("SIGUSR2", () => say("SIGUSR2"));
process.on("SIGTERM", () => {
  say("SIGTERM");
  if (config !== "deaf") process.exit(0);
});
if (config === "bad") {
  process.stderr.write("this configuration is bad\n");
  process.exit(3);
}
if (process.env["LISTEN_FDS"] !== undefined) {
  say(
    `may take ${process.env["LISTEN_FDS"]}: ${process.env["LISTEN_PID"] === String(process.pid)}`,
  );
  createServer((socket) => socket.end(`epoch ${epoch}`)).listen({ fd: 3 });
}
const admin = process.env["ADMIN_SOCKET"];
if (admin !== undefined) {
  rmSync(admin, { force: true });
  const answer = () =>
    JSON.stringify({
      state: "LIVE",
      uptime_current_epoch: `${Math.floor(process.uptime())}s`,
    });
  createHttpServer((_, response) => response.end(answer())).listen(admin);
}
say(`pid ${process.pid} args ${process.argv.slice(2).join(" ")}`);
setInterval(() => {}, 1000);
