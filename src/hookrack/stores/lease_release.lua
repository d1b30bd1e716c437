-- lease_release: give entries back to their group, at once or after a while.
--
-- KEYS  h, w, r of the group (see redis_leases.py)
-- ARGV  now (ms, "" = the server's clock), channel, key, delay (ms),
--       then for each receipt: sequence (7 bytes), the 8 random bytes of its lease
-- ->    for each receipt 1 (it counted) | 0 (stale)

local call, unpack_ = redis.call, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local delay = tonumber(ARGV[4])
local asked = {}
for at = 5, #ARGV, 2 do asked[#asked + 1] = ARGV[at] end
local kept = call('HMGET', KEYS[1], unpack(asked))
local results, scored, given = {}, {}, {}
for place, member in ipairs(asked) do
  local counts = kept[place] and string.sub(kept[place], 3) == ARGV[4 + 2 * place]
  results[place] = counts and 1 or 0
  if counts then
    local score = delay > 0 and now + delay or unpack_('>I7', member)
    scored[#scored + 1] = string.format('%.0f', score)
    scored[#scored + 1], given[#given + 1] = member, member
  end
end
if #given > 0 then
  local to, from = KEYS[3], KEYS[2]
  if delay > 0 then to, from = from, to end
  call('ZADD', to, unpack(scored))
  call('ZREM', from, unpack(given))
  local stays = call('PTTL', KEYS[1])
  if stays > 0 and call('PTTL', to) < stays then call('PEXPIRE', to, stays) end
  -- With a delay as well: who waits has to learn when it ends.
  call('PUBLISH', ARGV[2], '- ' .. ARGV[3])
end
return results
