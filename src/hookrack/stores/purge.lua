-- purge: take one event, or a page of all there are, from under one key of one account. Begins with
-- ledger.lua.
--
-- KEYS  k, o, n of the key, {acct}:seq
-- ARGV  now (ms, "" = the server's clock), what the names of payload keys begin with, and those of
--       lives, the key, event id ("" = all), the last sequence to take ("" = the account's last)
-- ->    {how many live entries were taken, the last sequence to take, 1 = there may be more}
--
-- An event's life lists the keys that it is under. What is purged leaves that list; the payload
-- goes, and the life says purged, when no key with time left remains. The life keeps its time to
-- live, so that a redelivery finds it for as long as the event could have been stored again.
-- The first write of every step takes no memory, so that a full server lets itself be purged.

local PAGE, LIFE_BYTES = 256, 262144   -- references, and bytes of lives, in one call
local STORED, PURGED = 1, 4
local call, pack, unpack_ = redis.call, struct.pack, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local payloads, lives, key, id = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local purged, life_bytes = 0, 0

local tag = string.sub(KEYS[4], 1, -4)
local book = ledger.read(tag, now)

-- Where the references begin in a life: behind flow and original, each behind its length.
local function references_from(life)
  local at = 19
  for _ = 1, 2 do at = at + 1 + string.byte(life, at) end
  return at
end

-- This key among a life's references: {expiry, from, to}, false where it isn't; the latest expiry of
-- the others, 0 where there are none.
local function look_up(life)
  local at, own, others = references_from(life), false, 0
  while at <= #life do
    local expiry, size = unpack_('>I6B', life, at)
    local to = at + 6 + size
    if size == #key and string.sub(life, at + 7, to) == key then
      own = {expiry, at, to}
    else
      others = math.max(others, expiry)
    end
    at = to + 1
  end
  return own, others
end

-- What was charged is no more, or ends sooner.
local function recharge(event_id, life, ends, others)
  local received, bytes = unpack_('>I6', life, 3), call('STRLEN', payloads .. event_id)
  local before = ledger.span(received, math.max(ends, others))
  local after = others > now and ledger.span(received, others) or 0
  if before == after then return end
  ledger.charge(book, before, -bytes)
  if after > 0 then ledger.charge(book, after, bytes) end
end

local function forget(event_id)
  local name = lives .. event_id
  local life = call('GET', name)
  local own, others = false, 0
  if life then own, others = look_up(life) end
  if not own then return end
  life_bytes = life_bytes + #life
  recharge(event_id, life, own[1], others)
  if others > now then
    life = string.sub(life, 1, own[2] - 1) .. string.sub(life, own[3] + 1)
  else
    call('UNLINK', payloads .. event_id)
    local head = string.sub(life, 3, references_from(life) - 1)
    life = string.sub(life, 1, 1) .. pack('B', PURGED) .. head
  end
  call('SET', name, life, 'KEEPTTL')
end

-- Take one reference; dead ones go as well, and count for nothing.
local function take(set, member, seq)
  local expiry, event_id = unpack_('>I6', member), string.sub(member, 13)
  call('ZREM', set, member)
  if set == KEYS[2] then call('ZREM', KEYS[3], pack('>I7I6', seq, expiry) .. event_id) end
  if expiry > now and call('EXISTS', payloads .. event_id) == 1 then
    purged = purged + 1
    forget(event_id)
  end
end

-- An answer, once the counts are written: a key without references is none of the account's any
-- more, one with some is looked at when it makes a difference.
local function done(upto, more)
  if call('EXISTS', KEYS[1], KEYS[2]) == 0 then call('ZREM', tag .. 'y', key) end
  if purged > 0 then
    call('ZADD', tag .. 'y', 'XX', 0, key)
    ledger.write(book)
  end
  return {purged, upto, more}
end

if id ~= '' then
  local life = call('GET', lives .. id)
  if not life or string.byte(life, 2) ~= STORED then return {0, '0', 0} end
  local own = look_up(life)
  if not own then return {0, '0', 0} end
  local member = pack('>I6', own[1]) .. string.sub(life, 3, 8) .. id
  for place = 1, 2 do
    local seq = call('ZSCORE', KEYS[place], member)
    if seq then take(KEYS[place], member, tonumber(seq)) end
  end
  return done('0', 0)
end

local upto = ARGV[6] ~= '' and ARGV[6] or call('GET', KEYS[4]) or '0'
for place = 1, 2 do
  local found = call('ZRANGEBYSCORE', KEYS[place], '-inf', upto, 'WITHSCORES', 'LIMIT', 0, PAGE)
  for at = 1, #found, 2 do
    take(KEYS[place], found[at], tonumber(found[at + 1]))
    if life_bytes > LIFE_BYTES then return done(upto, 1) end
  end
  if #found == 2 * PAGE then return done(upto, 1) end
end
-- With the last entry goes what is known of readers (redis_leases.py has the names).
if call('EXISTS', KEYS[1], KEYS[2]) == 0 then
  local groups = tag .. 'g:' .. key
  for _, group in ipairs(call('HKEYS', groups)) do
    for kind in string.gmatch('hwrx', '.') do
      call('UNLINK', tag .. kind .. ':' .. group .. ':' .. key)
    end
  end
  call('UNLINK', groups)
end
return done(upto, 0)
