import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockPool, blockBytes } from "../../../src/shared/io/block-pool.ts";

const skip = process.platform !== "linux" && "blocks are mapped by Linux's mmap";

test("blocks come up to the cap and no further", { skip }, () => {
  const pool = new BlockPool(3 * blockBytes + 100);
  const blocks = [pool.acquire(), pool.acquire(), pool.acquire()];
  assert.equal(new Set(blocks).size, 3);
  assert(pool.isExhausted);
  assert.equal(pool.acquire(), -1);
  assert.equal(pool.inUse, 3);
  pool.release(blocks[1] ?? -1);
  assert(!pool.isExhausted);
  assert.equal(pool.acquire(), blocks[1]);
});

test("addresses of different blocks do not overlap, over several segments", { skip }, () => {
  const pool = new BlockPool(40 * 1024 * 1024);
  const addresses: number[] = [];
  for (let block = pool.acquire(); block >= 0; block = pool.acquire()) {
    addresses.push(pool.addressOf(block));
  }
  assert.equal(addresses.length, 2560);
  addresses.sort((a, b) => a - b);
  for (const [i, address] of addresses.entries()) {
    assert(i === 0 || address - (addresses[i - 1] ?? 0) >= blockBytes);
  }
});

test("a block that is released twice is caught", { skip }, () => {
  const pool = new BlockPool(4 * blockBytes);
  const block = pool.acquire();
  pool.acquire();
  pool.release(block);
  assert.throws(() => pool.release(block), /released twice/);
});

test("a block that was never handed out can neither be released nor addressed", { skip }, () => {
  const pool = new BlockPool(4 * blockBytes);
  const block = pool.acquire();
  assert.throws(() => pool.release(block + 1), /released twice/);
  assert.throws(() => pool.release(4), /none of ours/);
  assert.throws(() => pool.release(-1), /none of ours/);
  assert.throws(() => pool.addressOf(block + 1), /not in use/);
  pool.release(block);
  assert.throws(() => pool.addressOf(block), /not in use/);
});
