"""procrastinate with its defaults, ten jobs at a time.

Run as: python procrastinate.py MODE SCENARIO COUNT, with DATABASE_URL. Prints one line of JSON. The scenarios are those of
measure.mjs.
"""

import asyncio
import json
import logging
import os
import sys
import time

# This file has the name of the package it uses, and its folder comes first in the search path.
sys.path.pop(0)

import procrastinate  # noqa: E402

BATCH = 1000
# See measure.mjs.
FEW = 50

# It advises against an application in the main module, which is right for a service and not for this.
logging.getLogger("procrastinate").setLevel(logging.ERROR)

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"], max_size=12))
started = None


@app.task(name="noop")
async def noop():
    started()


async def setup(_count):
    await app.schema_manager.apply_schema_async()
    return {}


async def send_single(count):
    for _ in range(count):
        await noop.defer_async()


async def send_ten(count):
    left = iter(range(count))

    async def send():
        for _ in left:
            await noop.defer_async()

    await asyncio.gather(*(send() for _ in range(10)))


async def send_batches(count):
    for first in range(0, count, BATCH):
        await noop.batch_defer_async(*({} for _ in range(min(BATCH, count - first))))


def enqueue(send):
    async def measure(count):
        for _ in range(20):
            await noop.defer_async()
        began = time.perf_counter()
        await send(count)
        return {"rate": count / (time.perf_counter() - began)}

    return measure


async def load(count):
    await send_batches(count)
    return {}


def work():
    return asyncio.create_task(app.run_worker_async(concurrency=10, install_signal_handlers=False))


async def left():
    text = "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')) AS some"
    return (await app.connector.execute_query_one_async(text))["some"]


async def drain(count):
    global started
    seen, handled = 0, asyncio.Event()

    def one():
        nonlocal seen
        seen += 1
        if seen == count:
            handled.set()

    started = one
    began = time.perf_counter()
    worker = work()
    await handled.wait()
    while await left():
        await asyncio.sleep(0.001)
    rate = count / (time.perf_counter() - began)
    worker.cancel()
    return {"rate": rate}


async def pickup(count):
    global started
    start = None
    started = lambda: start.set_result(time.perf_counter())  # noqa: E731
    work()
    await asyncio.sleep(1)
    ms = []
    warm = 0 if count < FEW else 5
    for index in range(count + warm):
        # 5 to 25 ms, never twice the same, and the same for every contestant.
        await asyncio.sleep((5 + 20 * ((index * 0.6180339887) % 1)) / 1000)
        start = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        await noop.defer_async()
        ms.append((await start - began) * 1000)
    return {"ms": ms[warm:]}


SCENARIOS = {
    "setup": setup,
    "enqueue-single": enqueue(send_single),
    "enqueue-ten": enqueue(send_ten),
    "enqueue-batch": enqueue(send_batches),
    "load": load,
    "drain": drain,
    "pickup": pickup,
}


async def main():
    _, _mode, scenario, count = sys.argv
    async with app.open_async():
        print(json.dumps(await SCENARIOS[scenario](int(count))), flush=True)
        # A worker that is told to stop waits for its next poll; the bench does not.
        os._exit(0)


asyncio.run(main())
