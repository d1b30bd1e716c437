-- lease_extend: hold entries of a group for longer.
--
-- KEYS  h, w, r of the group (see redis_leases.py); k, o of the key
-- ARGV  now (ms, "" = the server's clock), how long from now on (ms),
--       then for each receipt: sequence (7 bytes), the 8 random bytes of its lease
-- ->    {until, for each receipt 1 (it counted) | 0 (stale, or the entry has expired)}

local call, unpack_ = redis.call, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local until_ = string.format('%.0f', now + tonumber(ARGV[2]))

local function is_live(member)
  local score = string.format('%.0f', unpack_('>I7', member))
  local reference = call('ZRANGEBYSCORE', KEYS[4], score, score, 'LIMIT', 0, 1)[1]
    or call('ZRANGEBYSCORE', KEYS[5], score, score, 'LIMIT', 0, 1)[1]
  return reference and unpack_('>I6', reference) > now
end

local asked = {}
for at = 3, #ARGV, 2 do asked[#asked + 1] = ARGV[at] end
local kept = call('HMGET', KEYS[1], unpack(asked))
local results, scored, held = {}, {}, {}
for place, member in ipairs(asked) do
  local counts = kept[place] and string.sub(kept[place], 3) == ARGV[2 + 2 * place]
  counts = counts and is_live(member)
  results[place] = counts and 1 or 0
  if counts then
    scored[#scored + 1], scored[#scored + 2] = until_, member
    held[#held + 1] = member
  end
end
if #held > 0 then
  call('ZADD', KEYS[2], unpack(scored))
  call('ZREM', KEYS[3], unpack(held))
  local stays = call('PTTL', KEYS[1])
  if stays > 0 and call('PTTL', KEYS[2]) < stays then call('PEXPIRE', KEYS[2], stays) end
end
return {until_, results}
