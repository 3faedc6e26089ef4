#!lua
-- Counts an action of a user as under way, unless as many are as may be.
--
-- KEYS[1]  what the user has under way: a sorted set of ids, by the moment at which each is over.
-- ARGV[1]  how many there may be.
-- ARGV[2]  the action's id.
-- ARGV[3]  how long it is under way, in milliseconds.
-- ARGV[4]  how long any action is at most, in milliseconds.
-- ARGV[5…] ids that are under way no longer.
--
-- Returns  nothing if it is under way now; else, the soonest over first, each id that is under way and, behind it, for how many
--          milliseconds it still is.
--
-- Atomic   Two that start at once would both find the last place free.
-- Clock    This server's own, TIME: that of a node does not come into it.
-- Cost     O(log n) for n that are under way; O(n) for who is refused.

local key, max, id = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(number)
  return string.format('%.0f', number)
end

-- What is something else than what this file writes does not count, and goes.
local found = redis.call('TYPE', key).ok
if found ~= 'zset' and found ~= 'none' then
  redis.call('DEL', key)
end

for n = 5, #ARGV do
  redis.call('ZREM', key, ARGV[n])
end
redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))

-- Draws in what lies further ahead than any action lasts, which only a clock that was set back can cause.
local furthest = now + tonumber(ARGV[4])
for _, ahead in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. whole(furthest), '+inf')) do
  redis.call('ZADD', key, whole(furthest), ahead)
end

if redis.call('ZSCORE', key, id) then
  return {}
end
if redis.call('ZCARD', key) >= max then
  local under_way, reply = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), {}
  for n = 1, #under_way, 2 do
    reply[n], reply[n + 1] = under_way[n], whole(under_way[n + 1] - now)
  end
  return reply
end
redis.call('ZADD', key, whole(now + tonumber(ARGV[3])), id)
local latest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIRE', key, whole(latest - now))
return {}
