#!lua
-- Raises a board's floor. A lower position changes nothing.
--
-- KEYS[1]  the board's floor.
-- ARGV[1]  the epoch.
-- ARGV[2]  the version.
-- ARGV[3]  how long a floor lives, in milliseconds.
--
-- Returns  1 if it rose, 0 if not.
--
-- Atomic   Two that raise it at once must leave the higher one.
-- Clock    None: expiry is Redis' own.
-- Cost     O(1).
--
-- The floor's life is not renewed by a lower position: where a store of the same name begins again below it, it is over some time.
--
-- A floor is a tombstone and not a DEL of what is below: an old answer that is still on its way to the cache finds it, and loses.

local found = redis.pcall('GET', KEYS[1])
local epoch, version = string.match(type(found) == 'string' and found or '', '^(%d+)%.(%d+)$')
epoch, version = tonumber(epoch), tonumber(version)
-- Numbers that Lua has whole; what is larger was not written here.
if epoch and epoch < 2 ^ 53 and version < 2 ^ 53 then
  local to_epoch, to_version = tonumber(ARGV[1]), tonumber(ARGV[2])
  if to_epoch < epoch or (to_epoch == epoch and to_version <= version) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1] .. '.' .. ARGV[2], 'PX', ARGV[3])
return 1
