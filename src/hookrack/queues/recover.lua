-- recover: end the leases of one consumer at once, so that the next reclaim finds them.
--
-- KEYS  a partition's stream, its attempt records (hash)
-- ARGV  group, consumer, lease (ms), "lost" (each counts as a crash) or "returned" (none does),
--       where to begin ("-" at first)
-- ->    {how many were ended, where to go on ("" = that was all)}

local PAGE = 200
local stream, records = KEYS[1], KEYS[2]
local group, consumer, lease = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- One that has a due time on record is a retry; reclaim counts no crash for it.
local function note_return(id)
  local text = redis.call('HGET', records, id)
  local record = text and cjson.decode(text) or {attempts = 0, crashes = 0}
  if not record.due then
    record.due = now
    redis.call('HSET', records, id, cjson.encode(record))
  end
end

local pending = redis.call('XPENDING', stream, group, ARGV[5], '+', PAGE, consumer)
local last
for _, entry in ipairs(pending) do
  last = entry[1]
  redis.call('XCLAIM', stream, group, consumer, 0, last, 'IDLE', lease, 'JUSTID')
  if ARGV[4] == 'returned' then note_return(last) end
end
return {#pending, #pending == PAGE and '(' .. last or ''}
