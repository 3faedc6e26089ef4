// Follows a board with npm's `ws`, as anyone would write it who has read what the server documents: a snapshot, then each update in
// order, and from where it was when the connection is lost.
//
//   node follow_ws.js ws://127.0.0.1:8080/api/scoreboard/ws BOARD LIMIT
//
// Each view is a line, and so is each loss. It ends with its standard input.
"use strict";

const WebSocket = require("ws");

const [url, board, limit] = process.argv.slice(2);
const rows = new Map();
let held = null;

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const keep = ({ rank, userId, displayName, score }) => rows.set(userId, { rank, userId, displayName, score });

function show({ board, season, epoch, version, total }, whole) {
  held = { epoch, version };
  const entries = [...rows.values()].sort((a, b) => a.rank - b.rank);
  say({ whole, view: { board, season, epoch, version, total, entries } });
}

function receive(socket, message) {
  switch (message.type) {
    case "connected":
      socket.send(JSON.stringify({ type: "subscribe", board, limit: Number(limit), ...(held && { since: held }) }));
      break;
    case "snapshot":
      rows.clear();
      message.entries.forEach(keep);
      show(message, true);
      break;
    case "update":
      // The server promises that an update joins on to what came before it.
      if (held === null || message.epoch !== held.epoch || message.from !== held.version) {
        throw new Error(`an update of ${message.epoch}.${message.from} came to ${JSON.stringify(held)}`);
      }
      for (const change of message.changes) {
        if (change.op === "remove") rows.delete(change.userId);
        else keep(change);
      }
      show(message, false);
      break;
    case "error":
      throw new Error(`${message.code}: ${message.detail}`);
  }
}

function connect() {
  const socket = new WebSocket(url, "scoreboard.v1");
  socket.on("message", (data) => receive(socket, JSON.parse(data)));
  socket.on("error", () => {}); // a close follows
  socket.on("close", () => {
    say({ lost: true });
    setTimeout(connect, 50 + Math.random() * 200);
  });
}

process.stdin.resume().on("end", () => process.exit(0));
connect();
