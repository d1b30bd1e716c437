-- lease_ack: settle entries for a group.
--
-- KEYS  h, w, r of the group (see redis_leases.py)
-- ARGV  channel, key, then for each receipt: sequence (7 bytes), the 8 random bytes of its lease
-- ->    for each receipt 1 (it counted) | 0 (stale)

local call = redis.call

local asked = {'o'}
for at = 3, #ARGV, 2 do asked[#asked + 1] = ARGV[at] end
local kept = call('HMGET', KEYS[1], unpack(asked))
local results, settled = {}, {}
for place = 2, #asked do
  local counts = kept[place] and string.sub(kept[place], 3) == ARGV[2 * place]
  results[place - 1] = counts and 1 or 0
  if counts then settled[#settled + 1] = asked[place] end
end
if #settled > 0 then
  call('HDEL', KEYS[1], unpack(settled))
  call('ZREM', KEYS[2], unpack(settled))
  call('ZREM', KEYS[3], unpack(settled))
  -- In order, what stood behind them can go out now.
  if kept[1] then call('PUBLISH', ARGV[1], '- ' .. ARGV[2]) end
end
return results
