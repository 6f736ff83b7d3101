import { connect } from "node:net";

/**
 * One slow reader of a very long response: `node slow-download.ts PORT BYTES_PER_SECOND SECONDS`.
 * Reads at that rate, prints the bytes read and goes away. It stops reading between its sips, so
 * the window closes and what the proxy has in hand stays with the proxy: that is what is measured.
 */
const [port = 0, rate = 0, seconds = 0] = process.argv.slice(2).map(Number);
const sipTimeMs = 100;
let received = 0;
const startMs = performance.now();

const socket = connect(port, "127.0.0.1");
socket.on("connect", () => socket.write("GET /1g HTTP/1.1\r\nhost: bench\r\n\r\n"));
socket.on("error", (error) => {
  throw error;
});
socket.on("end", () => {
  throw new Error("the download was cut");
});
socket.on("data", (chunk) => {
  received += chunk.length;
  const aheadMs = (received / rate) * 1000 - (performance.now() - startMs);
  if (aheadMs <= sipTimeMs) return;
  socket.pause();
  setTimeout(() => socket.resume(), aheadMs);
});
setTimeout(() => {
  console.log(received);
  process.exit(0);
}, seconds * 1000);
