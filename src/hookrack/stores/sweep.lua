-- sweep: drop the dead references of one key between two sequences.
--
-- KEYS  k, o, n
-- ARGV  now (ms, "" = the server's clock), what the names of payload keys begin with,
--       the sequence after which to begin, the last one to look at
-- ->    how many were dropped

local PAGE = 1024                      -- references of a set in one call, as history looks at
local call, pack, unpack_ = redis.call, struct.pack, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local dropped = 0
for place = 1, 2 do
  local found = call('ZRANGEBYSCORE', KEYS[place], '(' .. ARGV[3], ARGV[4], 'WITHSCORES', 'LIMIT',
    0, PAGE)
  local dead, twins = {}, {}           -- of late arrivals, the same in n
  for at = 1, #found, 2 do
    local member, seq = found[at], tonumber(found[at + 1])
    local expiry, id = unpack_('>I6', member), string.sub(member, 13)
    if expiry <= now or call('EXISTS', ARGV[2] .. id) == 0 then
      dead[#dead + 1] = member
      twins[#twins + 1] = pack('>I7I6', seq, expiry) .. id
    end
  end
  if #dead > 0 then
    dropped = dropped + call('ZREM', KEYS[place], unpack(dead))
    if place == 2 then call('ZREM', KEYS[3], unpack(twins)) end
  end
end
return dropped
