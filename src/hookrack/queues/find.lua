-- find: look through a stretch of a stream for an entry that mentions an id. Writes nothing.
--
-- KEYS  the partition's stream
-- ARGV  the id, "XRANGE" or "XREVRANGE", the stream id to begin with, the one to end with, how many
--       entries and how many bytes to look at
-- ->    {where to go on ("" = that was all), the envelope of the first that mentions it or nil}
--
-- Whether an entry is about the id, or only quotes it, is for the caller to say.

local call = redis.call
local wanted, verb, from, to = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local room = tonumber(ARGV[6])

for _ = 1, tonumber(ARGV[5]) do
  local entry = call(verb, KEYS[1], from, to, 'COUNT', 1)[1]
  if not entry then return {'', false} end
  local envelope = entry[2][2]
  from, room = '(' .. entry[1], room - #envelope
  if string.find(envelope, wanted, 1, true) then return {from, envelope} end
  if room <= 0 then break end
end
return {from, false}
