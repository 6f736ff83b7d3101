import assert from "node:assert/strict";
import type { MainStats } from "../../src/shared/stats/stat-allocator.ts";
import { StatSlab } from "../../src/shared/stats/slab.ts";
import type { StatGroup } from "../../src/shared/stats/stat-group.ts";

/** A stat store of one small slab: enough to name, count and leak-check. */
export class FakeStats implements MainStats {
  readonly slab = new StatSlab(new SharedArrayBuffer(1024 * 1024 * 8));
  readonly #blocks = new Map<string, { block: number; group: StatGroup; references: number }>();
  #next = 1;

  readonly allocator = {
    allocate: (group: StatGroup, prefix: string): number => {
      const key = `${prefix}|${group.members.map((member) => member.name).join()}`;
      const known = this.#blocks.get(key);
      if (known) {
        known.references++;
        return known.block;
      }
      const block = this.#next;
      this.#next += group.size;
      this.#blocks.set(key, { block, group, references: 1 });
      return block;
    },
    release: (block: number): void => {
      for (const [key, entry] of this.#blocks) {
        if (entry.block !== block) continue;
        entry.references--;
        if (entry.references === 0) this.#blocks.delete(key);
        return;
      }
      assert.fail(`block ${block} is released and was not held`);
    },
    total: (block: number, offset: number): number => this.slab.values[block + offset] ?? 0,
  };

  /** Prefixes that somebody holds a block under. */
  get prefixes(): readonly string[] {
    return [...new Set([...this.#blocks.keys()].map((key) => key.slice(0, key.indexOf("|"))))];
  }

  /** Main's value of a stat by its full name. */
  value(name: string): number {
    for (const [key, { block, group }] of this.#blocks) {
      const prefix = key.slice(0, key.indexOf("|"));
      const member = group.members.find((each) => prefix + each.name === name);
      if (member) return this.slab.values[block + member.offset] ?? 0;
    }
    assert.fail(`no stat is called ${name}`);
  }
}
