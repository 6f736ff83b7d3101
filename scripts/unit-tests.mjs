// Every unit test in one process: to start one for each file would cost more than the tests do. It asks no more of them
// than the sources ask of themselves: nothing global is written to. A failed test is named by its own file and line.
import path from "node:path";
import { pathToFileURL } from "node:url";
import { unitTests } from "./test-files.mjs";

for (const file of unitTests()) await import(pathToFileURL(path.resolve(file)).href);
