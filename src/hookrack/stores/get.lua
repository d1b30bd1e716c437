-- get: the newest live entry under each of some keys of one account. Writes nothing.
--
-- KEYS  for each key: k, n
-- ARGV  now (ms, "" = the server's clock), what the names of payload keys begin with,
--       and, for one answer of bounded size: how many bytes of payloads (none = all), "1" = the
--       first one whatever its size
-- ->    for each key: nil | {expiry, payload, id} | "trim" (too many dead references on top)
--       | "left" (there is an entry, but the bytes are used up)
--
-- k and n are kept in order by put; newest = the greater (receivedAt, seq) of their top live ones.

local SKIP = 32                        -- how many dead references one look passes over
local ENTRY_BYTES = 512                -- what an entry counts for besides its payload
local call, unpack_ = redis.call, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local left, first = tonumber(ARGV[3]) or math.huge, ARGV[4] == '1'
local full = false

-- The top live reference: {received, seq, expiry, id, payload}, false for none, or "trim".
local function top(set, late)
  local from, size = 0, 1
  while from <= SKIP do
    local found = call('ZREVRANGE', set, from, from + size - 1, 'WITHSCORES')
    for place = 1, #found, 2 do
      local member, score = found[place], tonumber(found[place + 1])
      local expiry = unpack_('>I6', member, late and 8 or 1)
      if expiry > now then
        local id = string.sub(member, late and 14 or 13)
        -- With no room left only whether there is one is worth knowing.
        local payload = full and call('EXISTS', ARGV[2] .. id) == 1 and ''
          or call('GET', ARGV[2] .. id)
        if payload then
          if late then return {score, unpack_('>I7', member), expiry, id, payload} end
          return {unpack_('>I6', member, 7), score, expiry, id, payload}
        end
      end
    end
    if #found < 2 * size then return false end
    from, size = from + size, SKIP
  end
  return 'trim'
end

local results = {}
for place = 1, #KEYS, 2 do
  local best, late = top(KEYS[place], false), top(KEYS[place + 1], true)
  if best == 'trim' or late == 'trim' then
    results[#results + 1] = 'trim'
  else
    if late and (not best or late[1] > best[1] or (late[1] == best[1] and late[2] > best[2])) then
      best = late
    end
    if not best then
      results[#results + 1] = false
    else
      left = left - #best[5] - ENTRY_BYTES
      full = full or (left < 0 and not first)
      first = false
      results[#results + 1] = full and 'left' or {string.format('%.0f', best[3]), best[5], best[4]}
    end
  end
end
return results
