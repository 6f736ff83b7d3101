/**
 * The shared memory that an Envoy looks at before it speaks to its parent. Without it, or with the flag of a start that
 * failed still set, an Envoy child ends at once (`SharedMemory` in its source: size, version, two locks, flags).
 */
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hotRestartVersion, hotRestartVersionText } from "./version.ts";

const sizeBytes = hotRestartVersion.segmentBytes;
const versionAt = 8;
const headBytes = 16;
/** `pthread_mutexattr_t` kinds of the two locks: robust and shared between processes. */
const lockKindsAt = [32, 72];
const robustAndShared = 0x90;
const flagsAt = 96;

export class SharedSegment {
  readonly #path: string;

  constructor(baseId: number, folder = "/dev/shm") {
    this.#path = `${folder}/envoy_shared_memory_${baseId * 10}`;
  }

  /** A fresh one; `keepsOld`: what a living generation looks at stays. Failing, only an Envoy child would miss it. */
  create(keepsOld: boolean): void {
    if (keepsOld && existsSync(this.#path)) return;
    const bytes = Buffer.alloc(sizeBytes);
    bytes.writeBigUInt64LE(BigInt(sizeBytes), 0);
    bytes.writeBigUInt64LE(BigInt(hotRestartVersion.protocol), versionAt);
    for (const at of lockKindsAt) bytes.writeUInt8(robustAndShared, at);
    rmSync(this.#path, { force: true });
    writeFileSync(this.#path, bytes, { mode: 0o600, flag: "wx" });
  }

  /** Nobody is initializing: of a child that died while it did, nobody else says so. */
  clearFlags(): void {
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_NOFOLLOW);
    writeSync(fd, Buffer.alloc(8), 0, 8, flagsAt);
    closeSync(fd);
  }

  /** Who made it speaks another version: why nothing is said to them. Undefined: the same, or there is none. */
  mismatch(): string | undefined {
    const head = this.#head();
    if (!head) return undefined;
    const { protocol, segmentBytes } = hotRestartVersion;
    const theirs = `${head.readBigUInt64LE(versionAt)}.${head.readBigUInt64LE(0)}`;
    return theirs === `${protocol}.${segmentBytes}`
      ? undefined
      : `the parent's hot restart version is ${theirs}, this process's is ${hotRestartVersionText} (see --hot-restart-version)`;
  }

  #head(): Buffer | undefined {
    try {
      const bytes = readFileSync(this.#path);
      return bytes.length < headBytes ? undefined : bytes;
    } catch {
      return undefined;
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
