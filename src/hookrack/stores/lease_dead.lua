-- lease_dead: a group's dead letters that are alive under their key, oldest first. Writes nothing.
--
-- KEYS  x of the group, k, o of the key (see redis_leases.py)
-- ARGV  now (ms, "" = the server's clock), how many
-- ->    {{id, sequence (7 bytes), receivedAt, expiry, attempts, since}, ...}

local LOOKS = 4096                     -- dead letters looked at in one call
local call, unpack_ = redis.call, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function whole(number) return string.format('%.0f', number) end

local found = {}
for _, member in ipairs(call('ZRANGE', KEYS[1], 0, LOOKS - 1)) do
  if #found >= tonumber(ARGV[2]) then break end
  local seq, attempts, since = unpack_('>I7I2I6', member)
  local score = whole(seq)
  local reference = call('ZRANGEBYSCORE', KEYS[2], score, score, 'LIMIT', 0, 1)[1]
    or call('ZRANGEBYSCORE', KEYS[3], score, score, 'LIMIT', 0, 1)[1]
  if reference then
    local expiry, received = unpack_('>I6I6', reference)
    if expiry > now then
      found[#found + 1] = {string.sub(reference, 13), string.sub(member, 1, 7), whole(received),
        whole(expiry), attempts, whole(since)}
    end
  end
end
return found
