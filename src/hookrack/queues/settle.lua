-- settle: end leases that are still this consumer's; what another holds by now is left alone.
--
-- KEYS  for each delivery: stream, attempt records
-- ARGV  "ack" | "retry" | "extend", group, consumer, lease (ms), then for each delivery:
--         ack, extend   stream id
--         retry         stream id, spends an attempt (0 or 1), code, detail, delay (ms)
-- ->    for each delivery 1, or 0 where the lease is no longer this consumer's

local verb, group, consumer, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local width = verb == 'retry' and 5 or 1

local function whole(number) return string.format('%.0f', number) end

local function drop(stream, records, id)
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
  redis.call('HDEL', records, id)
end

local function failed(records, id, spends, code, detail)
  local text = redis.call('HGET', records, id)
  local record = text and cjson.decode(text) or {attempts = 0, crashes = 0}
  record.attempts = record.attempts + spends
  record.firstFailedAt = record.firstFailedAt or now
  record.lastFailedAt, record.reason, record.detail = now, code, detail
  return record
end

local act = {}

function act.ack(stream, records, id) drop(stream, records, id) end

-- A retry stays leased until it is due; extending it would put that off.
function act.extend(stream, records, id)
  local text = redis.call('HGET', records, id)
  if text and cjson.decode(text).due then return end
  redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', 0, 'JUSTID')
end

function act.retry(stream, records, id, from)
  local delay = tonumber(ARGV[from + 4])
  local record = failed(records, id, tonumber(ARGV[from + 1]), ARGV[from + 2], ARGV[from + 3])
  record.due = now + delay
  redis.call('HSET', records, id, cjson.encode(record))
  redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', whole(math.max(0, lease - delay)),
    'JUSTID')
end

local results = {}
local at, from = 1, 5
while from <= #ARGV do
  local stream, records, id = KEYS[at], KEYS[at + 1], ARGV[from]
  local pending = redis.call('XPENDING', stream, group, id, id, 1)[1]
  local ours = pending ~= nil and pending[2] == consumer
  if ours then act[verb](stream, records, id, from) end
  results[#results + 1] = ours and 1 or 0
  at, from = at + 2, from + width
end
return results
