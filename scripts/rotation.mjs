// `npm run rotation [-- certificates [rotations]]`: very many certificates by SDS, all of them exchanged again and again
// while clients shake hands with all of them.
//
// The real program with two workers, and the real gRPC. Promised: no handshake fails, and none that begins when all
// workers have acknowledged a rotation is served by a certificate from before it.
import { RotationStage } from "../test/support/rotation-stage.ts";

const certificates = Number(process.argv[2] ?? 1_000);
const rotations = Number(process.argv[3] ?? 10);
const clients = 16;
if (!(certificates >= 1 && certificates <= 60_000 && rotations >= 1)) {
  console.error("usage: npm run rotation [-- certificates (60000 at most) [rotations]]");
  process.exit(2);
}

await using stage = await RotationStage.start(certificates, ["--concurrency", "2"]);
await stage.load(clients);
for (let rotation = 1; rotation <= rotations; rotation++) {
  await stage.pass(500);
  const before = stage.counts.handshakes;
  const ms = await stage.rotate();
  const during = stage.counts.handshakes - before;
  console.log(
    `rotation ${rotation}: taken after ${ms.toFixed(0)} ms, ${during} handshakes meanwhile`,
  );
}
await stage.pass(500);
const { handshakes, failures, stale } = await stage.stop();
console.log(`${handshakes} handshakes: ${failures.length} failed, ${stale} by an old certificate`);
for (const failure of new Set(failures)) console.log(failure);
const isGood = failures.length === 0 && stale === 0;
console.log(isGood ? "rotation: as promised" : "rotation: BROKEN");
process.exitCode = isGood ? 0 : 1;
