#!lua
-- Keeps an answer, unless it is below its board's floor or a newer one is there.
--
-- KEYS[1]  the board's floor.
-- KEYS[2]  the answer's place.
-- KEYS[3]  the lease of whoever loads it, which ends here, kept or not.
-- ARGV[1]  the answer's epoch.
-- ARGV[2]  its version.
-- ARGV[3]  the entry, as cache/entry.rs writes it.
-- ARGV[4]  how long it lives, in milliseconds.
-- ARGV[5]  how long a floor lives, in milliseconds.
--
-- Returns  1 if it was kept, 0 if not.
--
-- Atomic   Between comparing and writing, a floor could rise or a newer answer land, and be covered by this one.
-- Clock    None: expiry is Redis' own.
-- Cost     O(1).
--
-- Where no floor is there (it was lost, or its time is over), the answer's own position becomes the floor: from then on nothing older is
-- served from this board, whatever else is left of it.

-- Numbers that Lua has whole; what is larger was not written here.
local function position(text)
  local epoch, version = string.match(text or '', '^(%d+)%.(%d+)$')
  epoch, version = tonumber(epoch), tonumber(version)
  if epoch and epoch < 2 ^ 53 and version < 2 ^ 53 then
    return {epoch, version}
  end
end

local function older(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end

-- What is no text is as good as nothing.
local function text(command, ...)
  local found = redis.pcall(command, ...)
  return type(found) == 'string' and found or ''
end

redis.call('DEL', KEYS[3])
local answer = {tonumber(ARGV[1]), tonumber(ARGV[2])}
local floor = position(text('GET', KEYS[1]))
if floor and older(answer, floor) then
  return 0
end
if not floor then
  redis.call('SET', KEYS[1], ARGV[1] .. '.' .. ARGV[2], 'PX', ARGV[5])
end

-- Only an entry that is whole can be newer: what nobody can read must not be in the way.
local head = text('GETRANGE', KEYS[2], 0, 127)
local line, at, length = string.match(head, '^(SB1 (%d+%.%d+) %d+ %d+ (%d+)\n)')
local kept = line and redis.call('STRLEN', KEYS[2]) == #line + tonumber(length) and position(at)
if kept and older(answer, kept) then
  return 0
end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
