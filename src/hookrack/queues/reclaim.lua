-- reclaim: lease again what was leased and not settled in time, and retries that are due.
--
-- KEYS  the partitions' streams, then their attempt records (hashes)
-- ARGV  group, consumer, how many, how many bytes, lease (ms), then a cursor for each partition
-- ->    {{next cursors}, {{partition, stream id, envelope, attempts, crashes}, ...}}
--
-- Claiming is done with JUSTID: Redis's own delivery count would rise without a failure. A lease
-- that ended without a retry on record means that its worker was lost: that counts as a crash.

local group, consumer = ARGV[1], ARGV[2]
local limit, room, lease = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local partitions = #KEYS / 2
local found, cursors = {}, {}

local function give_back(stream, id, idle)
  redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', string.format('%.0f', idle),
    'JUSTID')
end

local function take(partition, id)
  local stream, records = KEYS[partition + 1], KEYS[partitions + partition + 1]
  local text = redis.call('HGET', records, id)
  local record = text and cjson.decode(text) or {attempts = 0, crashes = 0}
  if record.due and record.due > now then
    return give_back(stream, id, math.max(0, lease - (record.due - now)))
  end
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then
    redis.call('XACK', stream, group, id)
    redis.call('HDEL', records, id)
    return
  end
  local envelope = entry[2][2]
  if #found >= limit or (room < #envelope and #found > 0) then
    room = 0
    return give_back(stream, id, lease)
  end
  if record.due then record.due = nil else record.crashes = record.crashes + 1 end
  redis.call('HSET', records, id, cjson.encode(record))
  room = room - #envelope
  found[#found + 1] = {partition, id, envelope, record.attempts, record.crashes}
end

for partition = 0, partitions - 1 do
  local cursor = ARGV[6 + partition]
  if #found < limit and room > 0 then
    local reply = redis.call('XAUTOCLAIM', KEYS[partition + 1], group, consumer, lease, cursor,
      'COUNT', 20, 'JUSTID')
    cursor = reply[1]
    for _, id in ipairs(reply[2]) do take(partition, id) end
    if room <= 0 then cursor = '0-0' end
  end
  cursors[partition + 1] = cursor
end
return {cursors, found}
