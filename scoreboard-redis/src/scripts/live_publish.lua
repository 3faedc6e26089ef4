#!lua
-- Announces a board's position, and remembers the newest.
--
-- KEYS[1]  the board's newest announced position.
-- ARGV[1]  the epoch.
-- ARGV[2]  the version.
-- ARGV[3]  how long it is remembered, in milliseconds.
-- ARGV[4]  the channel.
-- ARGV[5]  the message.
--
-- Returns  1 if it was the newest, 0 if not.
--
-- Atomic   Who hears of a position and then reads the key must find it there, and the key must never fall back.
-- Clock    None: expiry is Redis' own.
-- Cost     O(1), and O(listeners) for the message.

local found = redis.pcall('GET', KEYS[1])
local epoch, version = string.match(type(found) == 'string' and found or '', '^(%d+)%.(%d+)$')
local newest = 1
epoch, version = tonumber(epoch), tonumber(version)
-- Numbers that Lua has whole; what is larger was not written here.
if epoch and epoch < 2 ^ 53 and version < 2 ^ 53 then
  local to_epoch, to_version = tonumber(ARGV[1]), tonumber(ARGV[2])
  if to_epoch < epoch or (to_epoch == epoch and to_version < version) then
    newest = 0
  end
end
if newest == 1 then
  redis.call('SET', KEYS[1], ARGV[1] .. '.' .. ARGV[2], 'PX', ARGV[3])
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return newest
