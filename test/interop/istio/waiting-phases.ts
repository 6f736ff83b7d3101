/**
 * Which recorded phase waits for what, gathered from refusals: the table of docs/COMPATIBILITY.md. State of
 * the world and delta count together, for istiod says the same in both.
 */
import type { Recording, RecordedResponse } from "./recording.ts";

const nodes = ["gateway", "sidecar"] as const;

export class WaitingPhases {
  /** By node and name of what is lacking. */
  readonly #phases = new Map<string, Set<string>>();
  /** By node and name: every phase that has a response of the type it is lacking in. */
  readonly #ofType = new Map<string, Set<string>>();
  /** The types that each name is lacking in. */
  readonly #types = new Map<string, Set<string>>();

  /** For every response, refused or not: what is lacking in all of a type stands as `all`. */
  add(recording: Recording, { type, phase }: RecordedResponse, names: readonly string[]): void {
    addTo(this.#ofType, keyOf(recording, type), phase);
    for (const name of names) {
      addTo(this.#types, name, type);
      addTo(this.#phases, keyOf(recording, name), phase);
    }
  }

  names(): readonly string[] {
    return [...this.#types.keys()].toSorted();
  }

  /** Lines of a Markdown table. */
  rows(): readonly string[] {
    return this.names().map((name) => {
      const cells = nodes.map((node) => this.#cell(node, name));
      return `| \`${name}\` | ${cells.join(" | ")} |`;
    });
  }

  /** The lines of the document that have the form of these. */
  rowsIn(document: string): readonly string[] {
    const [, section = ""] = document.split("### What istiod's recorded phases wait for");
    return (
      section
        .split(/^#/m)[0]
        ?.split("\n")
        .filter((line) => line.startsWith("| `")) ?? []
    );
  }

  #cell(node: string, name: string): string {
    const phases = this.#phases.get(`${node} ${name}`);
    if (!phases) return "-";
    const types = [...(this.#types.get(name) ?? [])];
    const all = new Set(types.flatMap((type) => [...(this.#ofType.get(`${node} ${type}`) ?? [])]));
    return phases.size === all.size ? "all" : [...phases].join(", ");
  }
}

function keyOf({ name }: Recording, what: string): string {
  return `${name.split("-")[0]} ${what}`;
}

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(value));
}
