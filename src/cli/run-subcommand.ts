/** Runs a subcommand to its exit code. What goes wrong is one line that names it, and code 1. */
export async function runSubcommand(name: string, run: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await run();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    process.stderr.write(`sluice ${name}: ${message}\n`);
    process.exitCode = 1;
  }
}
