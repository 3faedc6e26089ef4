#!lua
-- Takes one from each cell, all or nothing; or only looks.
--
-- KEYS     the place of each cell, by the name that keys.rs gives it. A place may stand here twice.
-- ARGV[1]  "take", or "look": then nothing is taken.
-- ARGV[2]  a name for this call that no other has: the entries of a log bear it, so that limit_undo.lua finds them again.
-- ARGV[3…] for each cell eight: "log" or "gcra"; the limit; the period; the slack; the share of one cell, period / limit, as whole
--          milliseconds and the rest in limit-th parts of one; how many cells up to this one are at the same place; its number.
--
-- Returns  {now, 1 or 0: whether all were admitted, then for each cell {1 or 0: whether it has room; how long until it has; and
--          what is counted there: of a log how many and the latest time, of a bucket when it is full again}}. After the
--          take of this cell if all were admitted, else as it is. Times in milliseconds since 1970; -1 for none.
--
-- Atomic   Whether all have room and taking from all must be one step, or two callers both find the last place free.
-- Clock    This server's own, TIME: that of a node does not come into it.
-- Cost     O(log n) for each log of n entries, O(1) for each bucket.
--
-- The arithmetic is that of scoreboard-core's limiter in memory, and exact: no number here leaves the 2^53 that Lua has whole.

local taking, id = ARGV[1] == 'take', ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(number)
  return string.format('%.0f', number)
end

-- What is something else than what this file writes does not count, and goes.
local function clean(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    redis.call('DEL', key)
  end
end

local cells = {}
for n, key in ipairs(KEYS) do
  local at = 2 + (n - 1) * 8
  cells[n] = {
    key = key,
    log = ARGV[at + 1] == 'log',
    limit = tonumber(ARGV[at + 2]),
    period = tonumber(ARGV[at + 3]),
    slack = tonumber(ARGV[at + 4]),
    share = tonumber(ARGV[at + 5]),
    share_parts = tonumber(ARGV[at + 6]),
    demand = tonumber(ARGV[at + 7]),
    number = ARGV[at + 8],
  }
end

-- A log is a sorted set of entries by their times.

local function latest(cell)
  return tonumber(redis.call('ZRANGE', cell.key, -1, -1, 'WITHSCORES')[2] or -1)
end

-- The entries whose window has not ended: those after now - period.
local function live(cell)
  return redis.call('ZCOUNT', cell.key, '(' .. whole(now - cell.period), '+inf')
end

local function log_wait(cell, demand)
  local counting = live(cell)
  local excess = counting + demand - cell.limit
  if excess <= 0 then
    return 0
  end
  local nth = redis.call('ZCARD', cell.key) - counting + excess - 1
  local found = redis.call('ZRANGE', cell.key, nth, nth, 'WITHSCORES')[2]
  -- More at once than the limit never fit; asking again after a period does no harm.
  return found and tonumber(found) + cell.period - now or cell.period
end

-- Draws in what lies too far ahead, which only a clock that was set back can cause.
local function log_hold(cell)
  local furthest = now + cell.slack
  if latest(cell) > furthest then
    for _, entry in ipairs(redis.call('ZRANGEBYSCORE', cell.key, '(' .. whole(furthest), '+inf')) do
      redis.call('ZADD', cell.key, whole(furthest), entry)
    end
  end
end

-- An entry is not dropped the moment it leaves the window but when a new one takes its place, so that a clock that is set back a little
-- changes nothing.
local function log_take(cell)
  redis.call('ZREMRANGEBYSCORE', cell.key, '-inf', whole(now - cell.period - cell.slack))
  local surplus = redis.call('ZCARD', cell.key) + 1 - cell.limit
  if surplus > 0 then
    redis.call('ZREMRANGEBYRANK', cell.key, 0, surplus - 1)
  end
  redis.call('ZADD', cell.key, whole(now), id .. ':' .. cell.number)
  redis.call('PEXPIRE', cell.key, whole(latest(cell) - now + cell.period + cell.slack))
end

-- A bucket is the moment at which it is full again: milliseconds, and limit-th parts of one.

local function read(cell)
  local kept = redis.call('GET', cell.key)
  local full, parts, of = string.match(kept or '', '^(%d+):(%d+):(%d+)$')
  if not full then
    return -1, 0
  end
  full, parts, of = tonumber(full), tonumber(parts), tonumber(of)
  if of ~= cell.limit then
    -- The limit was changed since: rounded up, so that nothing is given away.
    parts = math.ceil(parts * cell.limit / of)
    if parts >= cell.limit then
      full, parts = full + 1, parts - cell.limit
    end
  end
  return full, parts
end

local function write(cell, full, parts)
  local kept = whole(full) .. ':' .. whole(parts) .. ':' .. whole(cell.limit)
  redis.call('SET', cell.key, kept, 'PX', whole(full - now + 1 + cell.slack))
end

-- As for a log. Written also where the call is refused in the end: the moment that is told must come nearer as time goes by.
local function bucket_hold(cell)
  local full, parts = read(cell)
  local furthest = now + cell.slack + cell.period
  if full > furthest or (full == furthest and parts > 0) then
    write(cell, furthest, 0)
  end
end

-- When it would be full again with so many cells more.
local function after(cell, count)
  local full, parts = read(cell)
  if full < now then
    full, parts = now, 0
  end
  for _ = 1, count do
    full, parts = full + cell.share, parts + cell.share_parts
    if parts >= cell.limit then
      full, parts = full + 1, parts - cell.limit
    end
  end
  return full, parts
end

local function bucket_take(cell)
  write(cell, after(cell, 1))
end

local function state(cell, room, wait)
  if cell.log then
    return {room, wait, live(cell), latest(cell)}
  end
  local full, parts = read(cell)
  return {room, wait, full, parts}
end

local admitted, reply = 1, {}
for n, cell in ipairs(cells) do
  clean(cell.key, cell.log and 'zset' or 'string')
  local room, wait = 1, 0
  if cell.log then
    log_hold(cell)
    wait = log_wait(cell, cell.demand)
    room = wait <= 0 and 1 or 0
  else
    bucket_hold(cell)
    local full, parts = after(cell, cell.demand)
    local fits = full < now + cell.period or (full == now + cell.period and parts == 0)
    room = fits and 1 or 0
  end
  if room == 0 then
    admitted = 0
  end
  reply[n] = state(cell, room, wait)
end

if taking and admitted == 1 then
  for n, cell in ipairs(cells) do
    if cell.log then
      log_take(cell)
      reply[n] = state(cell, 1, log_wait(cell, 1))
    else
      bucket_take(cell)
      reply[n] = state(cell, 1, 0)
    end
  end
end

return {now, admitted, reply}
