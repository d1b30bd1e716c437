-- usage: what an account has in the store. Begins with ledger.lua. Keys that are over are forgotten.
--
-- KEYS  {acct}:seq
-- ARGV  now (ms, "" = the server's clock), then keys
-- ->    {bytes of events, keys with something alive, how many of the keys given aren't among those}

local LOOK = 10000                     -- keys in one call
local call = redis.call
local tag = string.sub(KEYS[1], 1, -4)

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
ledger.forget(tag, ledger.look(tag, now, LOOK))
local unknown = 0
for at = 2, #ARGV do
  if not call('ZSCORE', tag .. 'y', ARGV[at]) then unknown = unknown + 1 end
end
return {ledger.read(tag, now).total, call('ZCARD', tag .. 'y'), unknown}
