import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type DrainsCommand,
  parseDrainsOptions,
  usage,
} from "../../../src/cli/drains/drains-options.ts";

function command(text: string): DrainsCommand {
  return parseDrainsOptions(text.split(" ").filter((word) => word !== "")).command;
}

test("what to look at, and how", () => {
  assert.deepEqual(command(""), { kind: "show", id: undefined });
  assert.deepEqual(command("7"), { kind: "show", id: 7 });
  assert.deepEqual(command("--watch"), { kind: "follow", id: undefined, untilDone: false });
  assert.deepEqual(command("7 --wait"), { kind: "follow", id: 7, untilDone: true });
  assert.deepEqual(command("-h"), { kind: "help" });
  const { admin, json } = parseDrainsOptions(["--json", "--admin", "/a/b"]);
  assert.deepEqual([admin, json], ["/a/b", true]);
});

test("orders are paths of the admin", () => {
  const paths: readonly (readonly [string, string])[] = [
    ["cancel 7", "/drains/7/cancel"],
    ["end 7", "/drains/7/end"],
    ["extend 7 --time 30s", "/drains/7/extend?time=30"],
    ["start", "/drain_listeners"],
    ["start --graceful --inbound-only", "/drain_listeners?graceful=&inboundonly="],
    ["start --keep-accepting --time 5", "/drain_listeners?skip_exit=&time=5"],
    [
      "start --listener a&b --filter-chain c --percent 50% --time 2.5 --strategy immediate",
      "/drain_listeners?name=a%26b&filter_chain=c&percent=50&time=2.5&strategy=immediate",
    ],
  ];
  for (const [text, path] of paths)
    assert.deepEqual(command(text), { kind: "order", path, waits: false }, text);
  assert.deepEqual(command("start --listener a --wait"), {
    kind: "order",
    path: "/drain_listeners?name=a",
    waits: true,
  });
});

test("what makes no sense is one sentence that says what would", () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["seven", /'seven' is no id of a drain and no order; see sluice drains --help/],
    ["7 8", /one drain at a time: '8' is too much/],
    ["cancel", /cancel wants the id of one drain: sluice drains lists them/],
    ["end 1 2", /end wants the id of one drain/],
    ["extend 7", /extend wants --time/],
    ["extend 7 --time soon", /'soon' is no number of seconds/],
    ["cancel 7 --time 3", /--time goes with start and extend/],
    ["--listener a", /--listener goes with start/],
    ["--watch --wait", /choose one/],
    ["cancel 7 --wait", /do not go with cancel/],
    ["start a", /name a listener with --listener/],
    ["start --watch", /use --wait/],
    ["start --percent 5", /are of one listener: name it with --listener/],
    ["start --listener a --percent half", /'half' is no percentage/],
    ["start --listener a --graceful", /--graceful is of the whole server/],
    ["start --strategy x", /'x' is no strategy: gradual or immediate/],
    ["--nonsense", /^Error: Unknown option '--nonsense'; see sluice drains --help$/],
    ["--admin --json", /^Error: Option '--admin' argument is ambiguous; see sluice drains --help$/],
  ];
  for (const [text, message] of refused) assert.throws(() => command(text), message, text);
});

test("every flag of the help is read, and any arguments are a command or one error", () => {
  for (const flag of usage.match(/--[a-z-]+/g) ?? []) {
    if (flag === "--drain-time-s" || flag === "--drain-strategy") continue;
    const read = (): unknown => command(`${flag} x --help`);
    assert.deepEqual(read(), { kind: "help" }, flag);
  }
  fc.assert(
    fc.property(fc.array(fc.string()), (args) => {
      try {
        parseDrainsOptions(args);
      } catch (thrown) {
        assert(thrown instanceof Error && thrown.message !== "");
      }
    }),
  );
});
