import { connect as connectTcp } from "node:net";
import { parseArgs } from "node:util";
import { connect, createSecureContext } from "node:tls";
import { clientHello } from "./client-hello.ts";

/**
 * TLS connections, a process of its own: one after another on each of a few clients, for a while; then prints how many
 * there were. Any failure ends it with exit code 1.
 *   rsa, ecdsa  a whole handshake with a certificate of that kind, never resumed, and the end
 *   sni         a PROXY header and a hello for one of a thousand names; the backend answers one byte
 */
const { values } = parseArgs({
  options: {
    port: { type: "string" },
    mode: { type: "string" },
    clients: { type: "string" },
    seconds: { type: "string" },
  },
});
const port = Number(values.port);
const endsAtMs = performance.now() + Number(values.seconds) * 1000;

const modes: Readonly<Record<string, (turn: number) => Promise<void>>> = {
  // The server shows the certificate whose key can make such a signature.
  // HAProxy knows RSA by the old one alone, which TLS 1.3 does not use.
  rsa: handshakeWith("rsa_pss_rsae_sha256:RSA+SHA256"),
  ecdsa: handshakeWith("ecdsa_secp256r1_sha256"),
  sni: passThrough,
};
const mode = modes[values.mode ?? ""];
if (mode === undefined) throw new Error(`unknown mode ${values.mode}`);
const once = mode;
const counts = await Promise.all(Array.from({ length: Number(values.clients) }, client));
console.log(counts.reduce((sum, n) => sum + n, 0));

async function client(_: unknown, index: number): Promise<number> {
  let count = 0;
  for (; performance.now() < endsAtMs; count++) await once(index + count * 7);
  return count;
}

/** One curve and one version for all peers: OpenSSL's newest would offer keys that the others do not know. */
function handshakeWith(sigalgs: string): () => Promise<void> {
  const secureContext = createSecureContext({
    sigalgs,
    ecdhCurve: "X25519",
    minVersion: "TLSv1.3",
  });
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect({
        port,
        host: "127.0.0.1",
        // HAProxy looks for a certificate of the client's kind only by name.
        servername: "bench",
        secureContext,
        rejectUnauthorized: false,
      });
      let isDone = false;
      socket.on("secureConnect", () => {
        isDone = !socket.isSessionReused();
        socket.end();
      });
      socket.on("error", reject);
      // What the server still had to say (tickets) is read, so that its end is no reset.
      socket.resume();
      socket.on("close", () => {
        if (isDone) resolve();
        else reject(new Error("no whole handshake"));
      });
    });
}

function passThrough(turn: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, "127.0.0.1");
    let received = 0;
    socket.on("connect", () => {
      socket.write("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n");
      socket.write(clientHello(`host-${turn % 1_000}.bench`));
    });
    socket.on("data", (chunk) => (received += chunk.length));
    socket.on("error", reject);
    socket.on("close", () => {
      if (received === 1) resolve();
      else reject(new Error(`a connection received ${received} bytes, not 1`));
    });
  });
}
