-- retime: give stored events of one account the times to live that are configured now. Begins with
-- ledger.lua.
--
-- KEYS  {acct}:seq
-- ARGV  now (ms, "" = the server's clock), what all names of the account begin with,
--       the times as JSON: {"most": ms, "flows": {flow: {"ttl": ms, "keys": {key: ms}}},
--       "others": whether events of flows that aren't named are cut to "most"},
--       then event ids
-- ->    {how many of the ids were worked off, and of their entries: changed, ended, left as they are}
--
-- A flow's name is "" for direct sets. Only what is alive is touched: the time of an entry that is
-- over stays over. An event with a time of its own (payload form 2) keeps it, but for "most". A
-- call ends early after so many references; the caller goes on with the next id. What has its time
-- already is left, so that repeating the whole is safe.

local LIFE_MS = 24 * 3600 * 1000       -- as in put.lua
local REFERENCES = 1000                -- in one call, but for the last event
local STORED, OWN_TTL = 1, 2
local call, pack, unpack_ = redis.call, struct.pack, struct.unpack

local time = call('TIME')
local clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local now = tonumber(ARGV[1]) or clock
local tag, times = ARGV[2], cjson.decode(ARGV[3])
local changed, ended, kept = 0, 0, 0
local book, longest = ledger.read(tag, now), 0

local function whole(number) return string.format('%.0f', number) end

local function grace(ttl) return math.min(300000, math.max(10000, math.floor(ttl / 10))) end

-- When an entry ends by the times given; `rule` is that of its flow, if it is named.
local function due(rule, key, received, expiry, own)
  local ttl = expiry - received
  if rule and not own then ttl = rule.keys[key] or rule.ttl end
  return received + math.min(ttl, times.most)
end

local function lasts(name, stays)
  local left = call('PTTL', name)
  if left == -2 or clock + left >= stays then return false end
  call('PEXPIREAT', name, whole(stays))
  return true
end

-- What is known of readers lasts as long as the key's entries.
local function keep_leases(key, stays)
  local groups = tag .. 'g:' .. key
  for _, group in ipairs(call('HKEYS', groups)) do
    for kind in string.gmatch('hwrx', '.') do
      lasts(tag .. kind .. ':' .. group .. ':' .. key, stays)
    end
  end
  lasts(groups, stays)
end

local function move(id, received, key, expiry, new)
  local old = pack('>I6I6', expiry, received) .. id
  local set, seq = tag .. 'k:' .. key, nil
  seq = call('ZSCORE', set, old)
  local late = not seq
  if late then
    set = tag .. 'o:' .. key
    seq = call('ZSCORE', set, old)
    if not seq then return end
  end
  local number, by_receipt = tonumber(seq), tag .. 'n:' .. key
  if new > now then
    local stays = new + grace(new - received)
    call('ZADD', set, whole(number), pack('>I6I6', new, received) .. id)
    local longer = lasts(set, stays)
    if late then
      call('ZADD', by_receipt, whole(received), pack('>I7I6', number, new) .. id)
      lasts(by_receipt, stays)
    end
    if longer then keep_leases(key, stays) end
    longest = math.max(longest, stays)
  end
  if new < expiry then call('ZADD', tag .. 'y', 'XX', 0, key) end
  call('ZREM', set, old)
  if late then call('ZREM', by_receipt, pack('>I7I6', number, expiry) .. id) end
end

local function retime(id)
  local name = tag .. 'l:' .. id
  local life, form = call('GET', name), call('GETRANGE', tag .. 'p:' .. id, 0, 0)
  if not life or form == '' or string.byte(life, 2) ~= STORED then return 0 end
  local own, received = string.byte(form) == OWN_TTL, unpack_('>I6', life, 3)
  local size = string.byte(life, 19)
  local rule = times.flows[string.sub(life, 20, 19 + size)]
  if not rule and not times.others then return 0 end
  local at = 20 + size
  at = at + 1 + string.byte(life, at)
  local parts, references, stays, last, touched = {string.sub(life, 1, at - 1)}, 0, 0, now, false
  local before, after = 0, 0           -- the latest expiries
  while at <= #life do
    local expiry, length = unpack_('>I6B', life, at)
    local key = string.sub(life, at + 7, at + 6 + length)
    local new = expiry
    references, at = references + 1, at + 7 + length
    if expiry > now then
      new = due(rule, key, received, expiry, own)
      if new == expiry then
        kept = kept + 1
      else
        move(id, received, key, expiry, new)
        touched = true
        if new > now then changed = changed + 1 else ended = ended + 1 end
      end
      if new > now then stays = math.max(stays, new + grace(new - received)) end
    end
    last, before, after = math.max(last, new), math.max(before, expiry), math.max(after, new)
    parts[#parts + 1] = pack('>I6B', new, length) .. key
  end
  if touched then
    local bytes = call('STRLEN', tag .. 'p:' .. id)
    ledger.charge(book, ledger.span(received, before), -bytes)
    if stays > 0 then ledger.charge(book, ledger.span(received, after), bytes) end
    call('SET', name, table.concat(parts), 'PX', whole(last - now + LIFE_MS))
    if stays > 0 then call('PEXPIREAT', tag .. 'p:' .. id, whole(stays))
    else call('UNLINK', tag .. 'p:' .. id) end
  end
  return references
end

local function done(count)
  if changed + ended > 0 then
    ledger.write(book)
    if longest > 0 then ledger.keep(tag, now, longest) end
  end
  return {count, changed, ended, kept}
end

local looked = 0
for place = 4, #ARGV do
  looked = looked + retime(ARGV[place])
  if looked >= REFERENCES then return done(place - 3) end
end
return done(#ARGV - 3)
