// graphile-worker: `default`, or `local-queue` as its page on performance describes it.

import { load, main } from './measure.mjs';

const { run, runMigrations, makeWorkerUtils, Logger } = await load('graphile-worker');
const { default: pg } = await load('pg');

const connectionString = process.env.DATABASE_URL;
const quiet = new Logger(() => () => {});
const TASK = 'noop';

function preset(mode) {
  const worker = { connectionString, concurrentJobs: 10, maxPoolSize: 12, logger: quiet };
  if (mode === 'local-queue') {
    Object.assign(worker, { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 });
  }
  return { worker };
}

let pool;

await main({
  async setup(mode) {
    await runMigrations({ preset: preset(mode) });
  },

  async open(mode) {
    const utils = await makeWorkerUtils({ preset: preset(mode) });
    return {
      one: () => utils.addJob(TASK, {}),
      many: (count) => utils.addJobs(Array.from({ length: count }, () => ({ identifier: TASK, payload: {} }))),
      close: () => utils.release(),
    };
  },

  async work(mode, onStart) {
    await run({ preset: preset(mode), taskList: { [TASK]: async () => onStart() }, noHandleSignals: true });
  },

  async left() {
    pool ??= new pg.Pool({ connectionString, max: 1 });
    const { rows } = await pool.query('SELECT EXISTS (SELECT 1 FROM graphile_worker.jobs) AS some');
    return rows[0].some;
  },
});
