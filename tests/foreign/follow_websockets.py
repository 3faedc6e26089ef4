"""Follows a board with Python's `websockets`, as anyone would write it who has read what the server documents: a snapshot, then each
update in order, and from where it was when the connection is lost.

    python3 follow_websockets.py ws://127.0.0.1:8080/api/scoreboard/ws BOARD LIMIT

Each view is a line, and so is each loss. It ends with its standard input.
"""

import asyncio
import json
import os
import random
import sys
import threading

import websockets

URL, BOARD, LIMIT = sys.argv[1], sys.argv[2], int(sys.argv[3])
FIELDS = ["board", "season", "epoch", "version", "total"]

rows = {}
held = None


def say(line):
    print(json.dumps(line), flush=True)


def keep(entry):
    rows[entry["userId"]] = {field: entry[field] for field in ["rank", "userId", "displayName", "score"]}


def show(message, whole):
    global held
    held = {"epoch": message["epoch"], "version": message["version"]}
    entries = sorted(rows.values(), key=lambda entry: entry["rank"])
    say({"whole": whole, "view": {**{field: message[field] for field in FIELDS}, "entries": entries}})


async def receive(socket, message):
    kind = message["type"]
    if kind == "connected":
        ask = {"type": "subscribe", "board": BOARD, "limit": LIMIT}
        await socket.send(json.dumps({**ask, "since": held} if held else ask))
    elif kind == "snapshot":
        rows.clear()
        for entry in message["entries"]:
            keep(entry)
        show(message, True)
    elif kind == "update":
        # The server promises that an update joins on to what came before it.
        if held != {"epoch": message["epoch"], "version": message["from"]}:
            raise RuntimeError(f"an update of {message['epoch']}.{message['from']} came to {held}")
        for change in message["changes"]:
            if change["op"] == "remove":
                rows.pop(change["userId"], None)
            else:
                keep(change)
        show(message, False)
    elif kind == "error":
        raise RuntimeError(f"{message['code']}: {message['detail']}")


async def follow():
    while True:
        try:
            async with websockets.connect(URL, subprotocols=["scoreboard.v1"]) as socket:
                async for text in socket:
                    await receive(socket, json.loads(text))
        except (OSError, asyncio.TimeoutError, websockets.exceptions.WebSocketException):
            pass
        say({"lost": True})
        await asyncio.sleep(random.uniform(0.05, 0.25))


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
asyncio.run(follow())
