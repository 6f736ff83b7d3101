/** Out of descriptors: accepting pauses, says so, does not spin, and goes on when some come free. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const skip = process.platform !== "linux" && "descriptors are Linux's";

test(
  "a process without descriptors serves again once some come free",
  { skip, timeout: 30_000 },
  async () => {
    const script = fileURLToPath(new URL("exhausted-process.ts", import.meta.url));
    const command = `ulimit -n 64 && exec "${process.execPath}" "${script}"`;
    const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "inherit"] });
    const clients: net.Socket[] = [];
    try {
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
      const line = async (): Promise<string[]> => String((await lines.next()).value).split(" ");
      const [, port] = await line();
      const greeted: Promise<unknown>[] = [];
      for (let i = 0; i < 80; i++) {
        const client = net.connect({ port: Number(port), host: "127.0.0.1" });
        greeted.push(once(client, "data"));
        clients.push(client);
      }
      const [what, accepted, pauses, ...error] = await line();
      assert.equal(what, "exhausted");
      assert(Number(accepted) > 16 && Number(accepted) < 64, accepted);
      assert.equal(pauses, "1", "it must pause, not spin");
      // The reactor's own dialling fails as a value too.
      assert.equal(error.join(" "), "closed connectFailed EMFILE");
      await Promise.all(greeted.slice(0, Number(accepted)));
      // Half of them leave; the rest of the queue is then served.
      for (const client of clients.slice(0, 40)) client.destroy();
      await Promise.all(greeted.slice(40));
    } finally {
      for (const client of clients) client.destroy();
      child.kill("SIGKILL");
    }
  },
);
