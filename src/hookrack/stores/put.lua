-- put: store events of one account, each under all of its keys at once or under none. Begins with
-- ledger.lua.
--
-- KEYS  1: {acct}:seq
--       then for each event: p (payload), l (life), d (dedupe mark, where it has a dedupe id),
--       and for each of its keys k, o, n
-- ARGV  now (ms, "" = the server's clock), trim seed, how many keys the account may have, and how
--       many bytes (0 = no bound), number of events
--       then for each event: id, receivedAt (of a direct set: not looked at, it is now),
--       flow ("" = direct set), contentType, crc32, data, dedupe window (ms, 0 = no dedupe id),
--       where it has one: fingerprint (direct sets only, 16 bytes, else ""),
--       number of keys (negative: the event brings its ttl itself, which retime.lua leaves), and
--       for each key: name, ttl (ms)
-- ->    for each event {"stored", told} | {"again"} | {"duplicate", original id} | {"expired"},
--       {"quota", "keys" or "bytes"},
--       for a direct set whose dedupe id is known also {"first", told} | {"conflict"};
--       told = ">I6I6I7" storedAt expiry seq, then id; only of direct sets, else ""
--
-- What was stored is told on the channel {acct}:new: the last sequence, and the keys. The life of an
-- event counts the duplicates of it that were written after it, while it is told.
--
-- Everything is read and planned before the first write, and the first write takes memory, so that
-- a full server refuses it before anything has changed.

local LIFE_MS = 24 * 3600 * 1000       -- how long a life is told after its end
local EPOCH_MS = 1735689600000         -- 2025-01-01; keeps seq below 2^53 until 2094
local LOOK = 10000                     -- keys that are over, in one call
local STATUS = {stored = 1, duplicate = 2, expired = 3}
local call, pack, unpack_ = redis.call, struct.pack, struct.unpack

-- The same few numbers are written again and again, and writing one takes half as long as a call.
local texts = {}
local function whole(number)
  local text = texts[number]
  if not text then
    text = string.format('%.0f', number)
    texts[number] = text
  end
  return text
end

local function grace(ttl) return math.min(300000, math.max(10000, math.floor(ttl / 10))) end

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local seed, count = tonumber(ARGV[2]), tonumber(ARGV[5])
local tag = string.sub(KEYS[1], 1, -4)
local last = math.max(tonumber(call('GET', KEYS[1]) or 0), (now - EPOCH_MS) * 4096 - 1)
local seq, stays = last, 0

-- Read and plan ---------------------------------------------------------------------------------
-- What a known dedupe id means for an event: another's copy, or a direct set made once more.
local function judge(event, mark)
  if event.flow ~= '' then return {'duplicate', mark} end
  local size = #event.fingerprint
  if string.sub(mark, 1, size) ~= event.fingerprint then return {'conflict'} end
  return {'first', string.sub(mark, size + 1)}
end

-- What the account has, which is read only where there is a bound, and what these events add to it.
local most_keys, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local bounded = most_keys > 0 or most_bytes > 0
local book = bounded and ledger.read(tag, now) or ledger.open(tag, now)
local quota = {bytes = book.total, keys = nil, looked = nil}
local over, fresh = {}, {}             -- keys without anything alive on top; what is listed of them

-- Keys that are over are looked for only where they make a difference.
local function too_many(new)
  quota.keys = quota.keys or call('ZCARD', tag .. 'y')
  if quota.keys + new > most_keys and not quota.looked then
    quota.looked = ledger.look(tag, now, LOOK)
    quota.keys = quota.keys - #quota.looked.dead
  end
  return quota.keys + new > most_keys
end

local function exceeds(event)
  if most_bytes > 0 and quota.bytes + event.size > most_bytes then return 'bytes' end
  if most_keys > 0 then
    local new = 0
    for _, key in ipairs(event.keys) do
      if over[key.name] and not call('ZSCORE', tag .. 'y', key.name) then new = new + 1 end
    end
    if new > 0 and too_many(new) then return 'keys' end
    quota.keys = quota.keys and quota.keys + new
  end
  quota.bytes = quota.bytes + event.size
end

-- What is stored is charged, and its keys that were over are so no more.
local function count_in(event)
  ledger.charge(book, ledger.span(event.received, event.expiry), event.size)
  if not next(over) then return end
  for _, key in ipairs(event.keys) do
    if over[key.name] then
      fresh[#fresh + 1], fresh[#fresh + 2] = whole(key.expiry), key.name
      over[key.name] = nil
    end
  end
end

local events, seen, marked, tops = {}, {}, {}, {}
local at, from = 2, 6
for index = 1, count do
  local event = {
    id = ARGV[from], received = math.min(tonumber(ARGV[from + 1]), now), flow = ARGV[from + 2],
    type = ARGV[from + 3], crc = tonumber(ARGV[from + 4]), data = ARGV[from + 5],
    window = tonumber(ARGV[from + 6]), keys = {}, expiry = 0, stays = 0, told = '',
    payload_key = KEYS[at], life_key = KEYS[at + 1],
  }
  event.size = 26 + #event.flow + #event.type + #event.data
  from, at = from + 7, at + 2
  if event.flow == '' then event.received = now end
  if event.window > 0 then
    event.mark_key, event.fingerprint = KEYS[at], ARGV[from]
    from, at = from + 1, at + 1
  end
  local keys = tonumber(ARGV[from])
  event.form, keys = keys < 0 and 2 or 1, math.abs(keys)
  from = from + 1
  if seen[event.id] or call('EXISTS', event.life_key) == 1 then
    event.verdict = {'again'}
  elseif event.mark_key then
    local mark = marked[event.mark_key] or call('GET', event.mark_key)
    if mark then event.verdict = judge(event, mark) end
  end
  seen[event.id] = true
  local before = {}                    -- tops, in case the event is refused
  for _ = 1, keys do
    local ttl = tonumber(ARGV[from + 1])
    local expiry = event.received + ttl
    if not event.verdict and expiry > now then
      local key = {name = ARGV[from], expiry = expiry, stays = expiry + grace(ttl), k = KEYS[at],
                   o = KEYS[at + 1], n = KEYS[at + 2]}
      if tops[key.k] == nil then
        local top = call('ZREVRANGE', key.k, 0, 0)[1]
        local ends, received = 0, 0
        if top then ends, received = unpack_('>I6I6', top) end
        tops[key.k] = received
        key.fresh = not top
        if ends <= now then over[key.name] = true end
      end
      if bounded then before[#before + 1] = not key.fresh and tops[key.k] end
      key.late = event.received < tops[key.k]
      if not key.late then tops[key.k] = event.received end
      event.keys[#event.keys + 1] = key
      event.expiry = math.max(event.expiry, expiry)
      event.stays = math.max(event.stays, key.stays)
    end
    from, at = from + 2, at + 3
  end
  if not event.verdict then
    if #event.keys == 0 then
      event.verdict = {'expired'}
    else
      local which = bounded and exceeds(event)
      if which then
        event.verdict = {'quota', which}
        for place, key in ipairs(event.keys) do tops[key.k] = before[place] or nil end
      end
    end
    if not event.verdict then
      seq = seq + 1
      event.seq = seq
      stays = math.max(stays, event.stays)
      count_in(event)
      if event.flow == '' then event.told = pack('>I6I6I7', now, event.expiry, seq) .. event.id end
      if event.mark_key then
        event.mark = event.flow == '' and event.fingerprint .. event.told or event.id
        marked[event.mark_key] = event.mark
      end
    end
  end
  events[index] = event
end

-- Write -----------------------------------------------------------------------------------------
-- The record that RedisStore reads, and purge.lua: version status receivedAt now duplicates, flow
-- and original each behind its length, then the references.
local function write_life(event, status, until_, original, references)
  local head = pack('>BBI6I6I4B', 1, STATUS[status], event.received, now, 0, #event.flow)
  local life = head .. event.flow .. pack('>B', #original) .. original .. references
  call('SET', event.life_key, life, 'PX', whole(until_ - now + LIFE_MS))
end

-- One more of an event, in its life if that is told still. It stands beside that of the duplicate.
local function count_duplicate(event)
  local name = string.sub(event.life_key, 1, -#event.id - 1) .. event.verdict[2]
  local count = call('GETRANGE', name, 14, 17)
  if #count < 4 then return end
  call('SETRANGE', name, 14, pack('>I4', math.min(unpack_('>I4', count) + 1, 4294967295)))
end

local function keep_until(set, stays)
  local left = call('PTTL', set)
  if left < 0 or now + left < stays then call('PEXPIREAT', set, whole(stays)) end
end

-- Drop the dead among a few references at a wandering place, so that a key which is written and
-- never read stays bounded. A member has its expiry at `at`.
local function trim(set, at)
  local size = call('ZCARD', set)
  if size < 8 then return end
  seed = (seed * 69069 + 1) % 4294967296
  local place = math.floor(seed / 4294967296 * (size - 3))
  for _, member in ipairs(call('ZRANGE', set, place, place + 3)) do
    if unpack_('>I6', member, at) <= now then call('ZREM', set, member) end
  end
end

-- What k and o hold; the keys of one event mostly share a time to live.
local function member(event, expiry)
  if event.member_expiry ~= expiry then
    event.member, event.member_expiry = pack('>I6I6', expiry, event.received) .. event.id, expiry
  end
  return event.member
end

local function write_reference(event, key)
  local expiry, received = key.expiry, event.received
  if key.late then
    call('ZADD', key.o, whole(event.seq), member(event, expiry))
    call('ZADD', key.n, whole(received), pack('>I7I6', event.seq, expiry) .. event.id)
    keep_until(key.o, key.stays)
    keep_until(key.n, key.stays)
    trim(key.o, 1)
    trim(key.n, 8)
  else
    call('ZADD', key.k, whole(event.seq), member(event, expiry))
    if key.fresh then return call('PEXPIREAT', key.k, whole(key.stays)) end
    keep_until(key.k, key.stays)
    trim(key.k, 1)
  end
end

-- As many keys that are over by now are forgotten as are listed, so that the list stays bounded.
local function write_counts()
  for from = 1, #fresh, 1000 do
    call('ZADD', tag .. 'y', 'GT', unpack(fresh, from, math.min(from + 999, #fresh)))
  end
  if #fresh > 0 and not quota.looked then
    quota.looked = ledger.look(tag, now, #fresh / 2 + 1)
  end
  if ledger.write(book) or #fresh > 0 then ledger.keep(tag, now, stays) end
end

local results, told = {}, {}
for index, event in ipairs(events) do
  local verdict = event.verdict
  if not verdict then
    local head = pack('>BI6I6I7I4B', event.form, event.received, now, event.seq, event.crc, #event.flow)
    call('SET', event.payload_key, head .. event.flow .. pack('>B', #event.type) .. event.type
      .. event.data, 'PX', whole(event.stays - now))
    local references = {}
    for place, key in ipairs(event.keys) do
      references[place] = pack('>I6B', key.expiry, #key.name) .. key.name
      write_reference(event, key)
      if told[#told] ~= key.name then told[#told + 1] = key.name end
    end
    write_life(event, 'stored', event.expiry, '', table.concat(references))
    if event.mark_key then call('SET', event.mark_key, event.mark, 'PX', whole(event.window)) end
    verdict = {'stored', event.told}
  elseif verdict[1] == 'duplicate' then
    write_life(event, 'duplicate', now, verdict[2], '')
    count_duplicate(event)
  elseif verdict[1] == 'expired' then
    write_life(event, 'expired', now, '', '')
  end
  results[index] = verdict
end
if seq > last then
  call('SET', KEYS[1], whole(seq))
  write_counts()
  -- Who waits hears of it (redis_arrivals.py); where nobody does it goes nowhere.
  call('PUBLISH', tag .. 'new', whole(seq) .. ' ' .. table.concat(told, ' '))
end
if quota.looked then ledger.forget(tag, quota.looked) end
return results
