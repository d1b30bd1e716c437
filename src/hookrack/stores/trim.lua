-- trim: drop dead references from the top of one key's sets, until a live one is on top.
--
-- KEYS  k, n of one key
-- ARGV  now (ms, "" = the server's clock), what the names of payload keys begin with
-- ->    how many were dropped

local PAGE, PAGES = 256, 16            -- at most 4,096 references of a set in one call
local call, unpack_ = redis.call, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function trim(set, late)
  local dropped = 0
  for _ = 1, PAGES do
    local members = call('ZREVRANGE', set, 0, PAGE - 1)
    if #members == 0 then return dropped end
    for _, member in ipairs(members) do
      local id = string.sub(member, late and 14 or 13)
      local alive = unpack_('>I6', member, late and 8 or 1) > now
      if alive and call('EXISTS', ARGV[2] .. id) == 1 then
        return dropped
      end
      call('ZREM', set, member)
      dropped = dropped + 1
    end
  end
  return dropped
end

return trim(KEYS[1], false) + trim(KEYS[2], true)
