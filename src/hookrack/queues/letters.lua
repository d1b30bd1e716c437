-- letters: read those of some dead letters that fit. Writes nothing.
--
-- KEYS  the letters' own keys, in order
-- ARGV  how many, how many bytes of envelopes, 1 to find one whatever its size, 1 to leave
--       envelopes out, reason, flow ("" = any), then the accounts that are meant (none = any, and
--       what has no account besides)
-- ->    {how many keys were looked at, {{place from 0, record, envelope}, ...}}
--
-- Stops at the first that there is no room for.

local limit, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local one_at_least, bare = ARGV[3] == '1', ARGV[4] == '1'
local reason, flow, first_account = ARGV[5], ARGV[6], 7
local accounts = {}
for place = first_account, #ARGV do accounts[ARGV[place]] = true end

local function fits(record)
  return (reason == '' or record.reason == reason) and (flow == '' or record.flow == flow)
    and (#ARGV < first_account or accounts[record.account or ''])
end

local found = {}
for place, key in ipairs(KEYS) do
  local text = redis.call('HGET', key, 'record')
  if text and fits(cjson.decode(text)) then
    local size = bare and 0 or redis.call('HSTRLEN', key, 'envelope')
    local must = one_at_least and #found == 0
    if #found >= limit or (size > room and not must) then return {place - 1, found} end
    room = room - size
    found[#found + 1] = {place - 1, text, bare and '' or redis.call('HGET', key, 'envelope')}
  end
end
return {#KEYS, found}
