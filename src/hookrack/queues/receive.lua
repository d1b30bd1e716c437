-- receive: lease new envelopes, one at a time from each partition in turn, so that no account's
-- burst holds up the others.
--
-- KEYS  the partitions' streams
-- ARGV  group, consumer, how many, how many bytes, the partition to begin with (from 0)
-- ->    {the partition to begin with next, {{partition, stream id, envelope}, ...}}

local group, consumer = ARGV[1], ARGV[2]
local limit, room, turn = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local found, empty = {}, {}
local left = #KEYS

while #found < limit and room > 0 and left > 0 do
  local partition = turn % #KEYS
  turn = turn + 1
  if not empty[partition] then
    local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS',
      KEYS[partition + 1], '>')
    local entry = reply and reply[1] and reply[1][2][1]
    if entry then
      local envelope = entry[2][2]
      room = room - #envelope
      found[#found + 1] = {partition, entry[1], envelope}
    else
      empty[partition] = true
      left = left - 1
    end
  end
end
return {turn % #KEYS, found}
