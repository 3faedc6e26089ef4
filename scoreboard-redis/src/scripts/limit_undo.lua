#!lua flags=allow-oom
-- Gives back what limit_take.lua took, because another part of the same call was refused on another node.
--
-- KEYS     the place of each cell, as it was taken.
-- ARGV[1]  the name of the call that took.
-- ARGV[2]  the time that it was told, in milliseconds since 1970.
-- ARGV[3…] for each cell five: "log" or "gcra"; the limit; the share of one cell as milliseconds and limit-th parts; its number.
--
-- Returns  how many cells were given back.
--
-- Atomic   A bucket is read, changed and written.
-- Clock    This server's own, TIME.
-- Cost     O(log n) for each log of n entries, O(1) for each bucket.
--
-- Never gives back more than was taken. Of a log the very entry goes. Of a bucket, the share less the time since: that much of it
-- has drained, in place of other cells that would have drained else. Written out: let the level be how far the bucket is from
-- full, F(t) the level that the cells which stay would make alone, and r(t) = max(0, share - (t - taken)) for each cell that is yet
-- to be given back. Then level >= F + sum of r at all times. For each side drains by no more than the passing time, and the right one by
-- no less while anything is there; a take adds the same to both, and giving back takes r from both. So after the last is given
-- back, level >= F.

local id, taken = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(number)
  return string.format('%.0f', number)
end

local function undo_bucket(key, limit, share, parts_of_share)
  local kept = redis.pcall('GET', key)
  if type(kept) ~= 'string' then
    return 0
  end
  local full, parts, of = string.match(kept, '^(%d+):(%d+):(%d+)$')
  -- A clock that was set back, or a limit that was changed since: it stays taken.
  if not full or tonumber(of) ~= limit or now < taken then
    return 0
  end
  local left = share - (now - taken)
  if left < 0 then
    return 0
  end
  full, parts = tonumber(full) - left, tonumber(parts) - parts_of_share
  if parts < 0 then
    full, parts = full - 1, parts + limit
  end
  redis.call('SET', key, whole(full) .. ':' .. whole(parts) .. ':' .. whole(limit), 'KEEPTTL')
  return 1
end

local undone = 0
for n, key in ipairs(KEYS) do
  local at = 2 + (n - 1) * 5
  if ARGV[at + 1] == 'log' then
    local gone = redis.pcall('ZREM', key, id .. ':' .. ARGV[at + 5])
    undone = undone + (type(gone) == 'number' and gone or 0)
  else
    undone = undone + undo_bucket(key, tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]))
  end
end
return undone
