-- scan: whose the envelopes in a stretch of a stream are. Writes nothing.
--
-- KEYS  the partition's stream
-- ARGV  the stream id to begin with, the one to end with, how many entries and how many bytes to
--       look at
-- ->    {where to go on ("" = that was all), stream id, envelope, stream id, envelope, ...}
--
-- An envelope in our own form is cut after HEAD bytes, which hold its id, account and flow.

local HEAD = 512
local call = redis.call
local from, to, room = ARGV[1], ARGV[2], tonumber(ARGV[4])
local found = {''}

for _ = 1, tonumber(ARGV[3]) do
  local entry = call('XRANGE', KEYS[1], from, to, 'COUNT', 1)[1]
  if not entry then return found end
  local envelope = entry[2][2]
  from, room = '(' .. entry[1], room - #envelope
  if string.find(envelope, '^{"v":%d+,"id":"') then envelope = string.sub(envelope, 1, HEAD) end
  found[#found + 1] = entry[1]
  found[#found + 1] = envelope
  if room <= 0 then break end
end
found[1] = from
return found
