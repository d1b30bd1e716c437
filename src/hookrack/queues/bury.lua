-- bury: turn deliveries into dead letters, each only if its lease is still this consumer's.
--
-- KEYS  the set of dead letters (permanent), then for each delivery: stream, attempt records,
--       the letter's own key, its place in the index of event ids
-- ARGV  group, consumer, stays (ms), then for each delivery: stream id, spends an attempt (0 or 1),
--       code, detail, letter id, event id, account, flow (the last three "" for no envelope)
-- ->    for each delivery 1, or 0 where the lease is no longer this consumer's
--
-- Scores are microseconds and no two are equal, so that a score alone is a place in the list. An
-- event that is buried again while its letter is still there keeps one letter: the newer one.

local letters, group, consumer, stays = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local TRIM = 100                       -- how many references to expired letters go in one call
local call = redis.call
local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local top = call('ZREVRANGE', letters, 0, 0, 'WITHSCORES')[2]
local score = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(top or 0) + 1)

local function whole(number) return string.format('%.0f', number) end

local function given(place) return ARGV[place] ~= '' and ARGV[place] or nil end

local function make_record(records, from)
  local text = call('HGET', records, ARGV[from])
  local record = text and cjson.decode(text) or {attempts = 0, crashes = 0}
  record.attempts = record.attempts + tonumber(ARGV[from + 1])
  record.lastFailedAt = math.floor(score / 1000)
  record.firstFailedAt = record.firstFailedAt or record.lastFailedAt
  record.reason, record.detail = ARGV[from + 2], ARGV[from + 3]
  record.due, record.eventId = nil, given(from + 5)
  record.account, record.flow = given(from + 6), given(from + 7)
  return record
end

-- The key and record of an earlier letter of the same event and account.
local function find_earlier(index, letter_key, letter_id, account)
  local earlier_id = call('GET', index)
  if not earlier_id then return nil end
  local key = string.sub(letter_key, 1, -#letter_id - 1) .. earlier_id
  local text = call('HGET', key, 'record')
  if not text then return nil end
  local record = cjson.decode(text)
  return {id = earlier_id, key = key, record = record, same = record.account == account}
end

local function bury(envelope, at, from)
  local letter_key, index, letter_id = KEYS[at + 2], KEYS[at + 3], ARGV[from + 4]
  local record = make_record(KEYS[at + 1], from)
  local earlier = find_earlier(index, letter_key, letter_id, record.account)
  if earlier and earlier.same then
    record.firstFailedAt = math.min(record.firstFailedAt, earlier.record.firstFailedAt)
  end
  call('HSET', letter_key, 'record', cjson.encode(record), 'envelope', envelope)
  call('PEXPIRE', letter_key, whole(stays))
  call('ZADD', letters, whole(score), letter_id)
  score = score + 1
  if not earlier or earlier.same then call('SET', index, letter_id, 'PX', whole(stays)) end
  if earlier and earlier.same and earlier.id ~= letter_id then
    call('DEL', earlier.key)
    call('ZREM', letters, earlier.id)
  end
end

local results = {}
local at, from = 2, 4
while from <= #ARGV do
  local stream, records, id = KEYS[at], KEYS[at + 1], ARGV[from]
  local pending = call('XPENDING', stream, group, id, id, 1)[1]
  local ours = pending ~= nil and pending[2] == consumer
  if ours then
    local entry = call('XRANGE', stream, id, id)[1]
    if entry then bury(entry[2][2], at, from) end
    call('XACK', stream, group, id)
    call('XDEL', stream, id)
    call('HDEL', records, id)
  end
  results[#results + 1] = ours and 1 or 0
  at, from = at + 4, from + 8
end
local expired = call('ZRANGEBYSCORE', letters, '-inf', whole((now - stays) * 1000), 'LIMIT', 0,
  TRIM)
if #expired > 0 then call('ZREM', letters, unpack(expired)) end
return results
