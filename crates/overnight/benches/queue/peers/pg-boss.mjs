// pg-boss: `default`, or `notify`: batches of ten, the next one at once when one was full, and woken by NOTIFY.

import { load, main } from './measure.mjs';

const { PgBoss } = await load('pg-boss');
const { default: pg } = await load('pg');

const connectionString = process.env.DATABASE_URL;
const QUEUE = 'noop';
const notifies = (mode) => mode === 'notify';

async function start(mode) {
  const boss = new PgBoss({ connectionString, max: 12, useListenNotify: notifies(mode) });
  boss.on('error', (error) => process.stderr.write(`${error}\n`));
  return boss.start();
}

let pool;

await main({
  async setup(mode) {
    const boss = await start(mode);
    await boss.createQueue(QUEUE, { notify: notifies(mode) });
    await boss.stop();
  },

  async open(mode) {
    const boss = await start(mode);
    return {
      one: () => boss.send(QUEUE, {}),
      many: (count) => boss.insert(QUEUE, Array.from({ length: count }, () => ({ data: {} }))),
      close: () => boss.stop(),
    };
  },

  async work(mode, onStart) {
    const boss = await start(mode);
    // Ten jobs at a time either way: ten workers that take one each, or one that takes ten.
    const options = notifies(mode) ? { batchSize: 10, burstWhenBatchFull: true } : { localConcurrency: 10 };
    await boss.work(QUEUE, options, async (jobs) => jobs.forEach(() => onStart()));
  },

  async left() {
    pool ??= new pg.Pool({ connectionString, max: 1 });
    const text = "SELECT EXISTS (SELECT 1 FROM pgboss.job WHERE name = $1 AND state < 'completed') AS some";
    const { rows } = await pool.query(text, [QUEUE]);
    return rows[0].some;
  },
});
