// What the two npm contestants share: the scenarios, measured the same way as everywhere else in this bench.
//
// Each contestant hands over a `tool` and this file does the rest. Run as: node TOOL.mjs MODE SCENARIO COUNT, in the
// folder in which the package is installed, with DATABASE_URL. Prints one line of JSON.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const BATCH = 1000;
/** Below this many pick-ups a contestant is so slow that warming it up makes no difference and takes minutes. */
const FEW = 50;

/** A package of the folder in which this program runs, which is not the folder in which this file lies. */
export function load(name) {
  const found = createRequire(join(process.cwd(), 'here.js')).resolve(name);
  return import(pathToFileURL(found));
}

/**
 * `tool` has: setup(), open() -> { one(), many(count) , close() }, work(onStart) -> { stop() }, left() -> is work left?
 * `onStart` is to be called when a handler starts.
 */
export async function main(tool) {
  const [, , mode, scenario, count] = process.argv;
  const result = await scenarios[scenario](tool, mode, Number(count));
  process.stdout.write(`${JSON.stringify(result)}\n`);
  // Pools and timers of a tool must not keep the bench waiting.
  process.exit(0);
}

const scenarios = {
  async setup(tool, mode) {
    await tool.setup(mode);
    return {};
  },

  'enqueue-single': enqueue(async (sender, count) => {
    for (let sent = 0; sent < count; sent += 1) await sender.one();
  }),

  'enqueue-ten': enqueue(async (sender, count) => {
    let sent = 0;
    const send = async () => {
      while (sent < count) {
        sent += 1;
        await sender.one();
      }
    };
    await Promise.all(Array.from({ length: 10 }, send));
  }),

  'enqueue-batch': enqueue(async (sender, count) => {
    for (let sent = 0; sent < count; sent += BATCH) await sender.many(BATCH);
  }),

  async load(tool, mode, count) {
    const sender = await tool.open(mode);
    for (let sent = 0; sent < count; sent += BATCH) await sender.many(Math.min(BATCH, count - sent));
    await sender.close();
    return {};
  },

  async drain(tool, mode, count) {
    let started = 0;
    let all;
    const handled = new Promise((resolve) => (all = resolve));
    const began = performance.now();
    await tool.work(mode, () => {
      started += 1;
      if (started === count) all();
    });
    await handled;
    while (await tool.left(mode)) await sleep(1);
    return { rate: count / ((performance.now() - began) / 1000) };
  },

  async pickup(tool, mode, count) {
    let start;
    const sender = await tool.open(mode);
    await tool.work(mode, () => start?.(performance.now()));
    await sleep(1000);
    const ms = [];
    const warm = count < FEW ? 0 : 5;
    for (let sent = 0; sent < count + warm; sent += 1) {
      await sleep(spacing(sent));
      const started = new Promise((resolve) => (start = resolve));
      const began = performance.now();
      await sender.one();
      ms.push((await started) - began);
    }
    return { ms: ms.slice(warm) };
  },
};

function enqueue(send) {
  return async (tool, mode, count) => {
    const sender = await tool.open(mode);
    // Connections and prepared statements are there before the clock starts, as they are in a service.
    for (let warm = 0; warm < 20; warm += 1) await sender.one();
    const began = performance.now();
    await send(sender, count);
    return { rate: count / ((performance.now() - began) / 1000) };
  };
}

/** 5 to 25 ms, never twice the same, and the same for every contestant. */
function spacing(index) {
  return 5 + 20 * ((index * 0.6180339887) % 1);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
