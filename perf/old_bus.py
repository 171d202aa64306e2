"""The message bus as it used to be: one asyncio task for every message and subscriber.

usage: old_bus.py MESSAGES SUBSCRIBERS HANDLER_MS

Nothing is bounded: publishing returns at once and leaves a task a subscriber. Prints deliveries a
second, the most handlers at work at once and how much memory that took, as JSON.
"""
import asyncio
import json
import os
import sys
import time


def resident():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Bus:
    def __init__(self):
        self.subscribers = []
        self.tasks = set()

    def subscribe(self, handler):
        self.subscribers.append(handler)

    async def publish(self, message):
        for handler in self.subscribers:
            task = asyncio.create_task(handler(message))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)


class Subscriber:
    at_work = most_at_work = handled = most_resident = 0

    def __init__(self, seconds):
        self.seconds = seconds

    async def handle(self, message):
        del message
        Subscriber.at_work += 1
        Subscriber.most_at_work = max(Subscriber.most_at_work, Subscriber.at_work)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        Subscriber.at_work -= 1
        Subscriber.handled += 1
        if Subscriber.handled % 500 == 0:
            Subscriber.most_resident = max(Subscriber.most_resident, resident())


async def main(messages, subscribers, handler_ms):
    bus = Bus()
    for _ in range(subscribers):
        bus.subscribe(Subscriber(handler_ms / 1000).handle)
    before = resident()
    start = time.perf_counter()
    for number in range(messages):
        await bus.publish({"topic": "builds.api", "number": number, "body": "x" * 200})
        if not handler_ms and number % 100 == 0:  # with quick handlers it has to let them run
            await asyncio.sleep(0)
    while bus.tasks:
        await asyncio.gather(*list(bus.tasks))
    seconds = time.perf_counter() - start
    print(json.dumps({
        "deliveries_per_second": Subscriber.handled / seconds, "seconds": seconds,
        "most_at_work": Subscriber.most_at_work, "grown_bytes": Subscriber.most_resident - before,
    }))


asyncio.run(main(*map(int, sys.argv[1:4])))
