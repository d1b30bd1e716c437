-- reclaim: lease again what was leased and not settled in time, and retries that are due.
--
-- KEYS  the partitions' streams, then their attempt records (hashes), then the key that names the
--       delivery which is tried alone (expires)
-- ARGV  group, consumer, how many, how many bytes, lease (ms), crashes from which a delivery is
--       tried alone, then a cursor for each partition
-- ->    {{next cursors}, {{partition, stream id, envelope, attempts, crashes}, ...}}
--
-- Claiming is done with JUSTID: Redis's own delivery count would rise without a failure. A lease
-- that ended without a retry on record means that its worker was lost: that counts as a crash.
--
-- Whatever kills workers must not take others with it: a suspect, one that several workers did not
-- survive, is handed over by itself, and only when no other suspect of the whole queue is leased.
-- So each kill counts against one suspect only, and the innocent among them are tried and acked.

local group, consumer = ARGV[1], ARGV[2]
local limit, room, lease = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local suspicious, first_cursor = tonumber(ARGV[6]), 7
local DAY_MS = 24 * 3600 * 1000
local call = redis.call
local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local partitions = (#KEYS - 1) / 2
local alone = KEYS[#KEYS]
local found, cursors = {}, {}
local again = false                    -- the partition in hand is to be looked at once more

local function give_back(stream, id, idle)
  call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', string.format('%.0f', idle), 'JUSTID')
end

local function read_record(records, id)
  local text = call('HGET', records, id)
  return text and cjson.decode(text) or {attempts = 0, crashes = 0}
end

-- Whether another suspect is leased right now.
local function other_is_out(name)
  local holder = call('GET', alone)
  if not holder or holder == name then return false end
  local partition, id = string.match(holder, '^(%d+):(.+)$')
  partition = tonumber(partition)
  local pending = call('XPENDING', KEYS[partition + 1], group, id, id, 1)[1]
  if not pending or pending[3] >= lease then return false end
  return not read_record(KEYS[partitions + partition + 1], id).due
end

local function take(partition, id)
  local stream, records = KEYS[partition + 1], KEYS[partitions + partition + 1]
  local record = read_record(records, id)
  if record.due and record.due > now then
    return give_back(stream, id, math.max(0, lease - (record.due - now)))
  end
  local crashes = record.due and record.crashes or record.crashes + 1
  local suspect, name = crashes >= suspicious, partition .. ':' .. id
  local full = #found >= limit or room <= 0 or suspect and #found > 0
  if full or suspect and other_is_out(name) then
    again = again or full
    return give_back(stream, id, lease)
  end
  local entry = call('XRANGE', stream, id, id)[1]
  if not entry then
    call('XACK', stream, group, id)
    call('HDEL', records, id)
    return
  end
  local envelope = entry[2][2]
  if room < #envelope and #found > 0 then
    room, again = 0, true
    return give_back(stream, id, lease)
  end
  if suspect then
    call('SET', alone, name, 'PX', DAY_MS)
    limit = 1
  end
  record.due, record.crashes = nil, crashes
  call('HSET', records, id, cjson.encode(record))
  room = room - #envelope
  found[#found + 1] = {partition, id, envelope, record.attempts, record.crashes}
end

for partition = 0, partitions - 1 do
  local cursor = ARGV[first_cursor + partition]
  if #found < limit and room > 0 then
    local reply = call('XAUTOCLAIM', KEYS[partition + 1], group, consumer, lease, cursor,
      'COUNT', 20, 'JUSTID')
    cursor, again = reply[1], false
    for _, id in ipairs(reply[2]) do take(partition, id) end
    if again then cursor = '0-0' end
  end
  cursors[partition + 1] = cursor
end
return {cursors, found}
