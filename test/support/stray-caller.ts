/** A program that dials a process's socket as another user, and says what comes of it: the user's id and the path are its arguments. */
import { DescriptorStream } from "../../src/shared/io/descriptor-stream.ts";

const [uid = "", path = ""] = process.argv.slice(2);
process.setuid?.(Number(uid));
const stream = DescriptorStream.connect(path);
if (typeof stream === "number") throw new Error(`errno ${stream}`);
stream.onPiece(({ kind }) => process.stdout.write(`${kind}\n`));
