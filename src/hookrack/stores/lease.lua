-- lease: hand entries under one key to one reader of a group, in storing order.
--
-- KEYS  k, o of the key; g (its groups); h, w, r, x of the group (see redis_leases.py)
-- ARGV  now (ms, "" = the server's clock), what the names of payload keys begin with, group,
--       how many entries, how many bytes of payloads, how long (ms), 8 random bytes,
--       "1" = in order, attempts before an entry becomes a dead letter (0 = no limit)
-- ->    {how it ended, ms until the next lease ends (-1 = none), until, {{expiry, payload, id,
--        sequence (7 bytes), attempt}, ...}}
--       ended: "end" | "look" (too many dead references for one call: ask again) | "groups" (the
--       key has too many groups; nothing was done)
--
-- First those that came back (r, and what is due in w), which all stand before the place that the
-- group has reached; then new ones behind it. In order, nothing behind an entry that is held is
-- handed out. What is dead is dropped from the group when it is met.

local LOOKS, PAGE, GROUPS = 1024, 128, 100
local ENTRY_BYTES = 512                -- what an entry counts for besides its payload
local call, pack, unpack_ = redis.call, struct.pack, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local group, limit, left = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local nonce, ordered, most = ARGV[7], ARGV[8] == '1', tonumber(ARGV[9])
local until_ = now + tonumber(ARGV[6])
local h, w, r, x = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
if most == 0 then most = math.huge end

local function whole(number) return string.format('%.0f', number) end

local started = call('HGET', KEYS[3], group)
if not started and call('HLEN', KEYS[3]) >= GROUPS then return {'groups', -1, '0', {}} end
local reached = started or '0'

-- Leases that ended come back.
local ended = call('ZRANGEBYSCORE', w, '-inf', whole(now), 'LIMIT', 0, LOOKS)
if #ended > 0 then
  local back = {}
  for _, member in ipairs(ended) do
    back[#back + 1] = whole(unpack_('>I7', member))
    back[#back + 1] = member
  end
  call('ZADD', r, unpack(back))
  call('ZREM', w, unpack(ended))
end

-- Behind the first entry that is held, nothing is handed out in order.
local barrier = math.huge
if ordered then
  local others = call('ZRANGE', w, 0, LOOKS)
  for _, member in ipairs(others) do barrier = math.min(barrier, (unpack_('>I7', member))) end
  if #others > LOOKS then barrier = 0 end
end

local entries, held, due, gone, dead = {}, {}, {}, {}, {}
local looks, full = LOOKS, false

-- Hand out what `reference` stands for; false where it is dead or there is no room.
local function take(reference, seq, attempt)
  local expiry, id = unpack_('>I6', reference), string.sub(reference, 13)
  local payload = expiry > now and call('GET', ARGV[2] .. id)
  if not payload then return 'dead' end
  local size = #payload + ENTRY_BYTES
  if #entries >= limit or (size > left and #entries > 0) then
    full = true
    return 'full'
  end
  left = left - size
  local member = pack('>I7', seq)
  entries[#entries + 1] = {whole(expiry), payload, id, member, attempt}
  held[#held + 1], held[#held + 2] = member, pack('>I2', math.min(attempt, 65535)) .. nonce
  due[#due + 1], due[#due + 2] = whole(until_), member
  return 'taken'
end

-- Those that came back.
local back = call('ZRANGE', r, 0, LOOKS - 1)
for _, member in ipairs(back) do
  local seq = unpack_('>I7', member)
  looks = looks - 1
  if full or seq > barrier then break end
  local score = whole(seq)
  local reference = call('ZRANGEBYSCORE', KEYS[1], score, score, 'LIMIT', 0, 1)[1]
    or call('ZRANGEBYSCORE', KEYS[2], score, score, 'LIMIT', 0, 1)[1]
  local kept = call('HGET', h, member)
  local attempts = kept and unpack_('>I2', kept) or 0
  if not reference or unpack_('>I6', reference) <= now then
    gone[#gone + 1] = member
  elseif attempts >= most then
    dead[#dead + 1], dead[#dead + 2] = score, pack('>I7I2I6', seq, attempts, now)
    gone[#gone + 1] = member
  elseif #entries >= limit then
    full = true
  elseif take(reference, seq, attempts + 1) == 'dead' then
    gone[#gone + 1] = member
  end
end
local crowded = #back == LOOKS or #ended == LOOKS -- more of them may wait

-- New ones, from the two sets in one order.
local function source(set) return {set = set, from = reached, page = {}, at = 1, ended = false} end

local function peek(from)
  if from.at > #from.page and not from.ended then
    from.page = call('ZRANGEBYSCORE', from.set, '(' .. from.from, '+inf', 'WITHSCORES', 'LIMIT',
      0, math.min(PAGE, limit + 1))
    from.at, from.ended = 1, #from.page < 2 * math.min(PAGE, limit + 1)
    from.from = from.page[#from.page] or from.from
  end
  return tonumber(from.page[from.at + 1])
end

local how, before = 'end', reached
if crowded then
  if #entries == 0 then how = 'look' end
elseif not full and barrier == math.huge then
  local ordinary, late = source(KEYS[1]), source(KEYS[2])
  while true do
    if looks <= 0 then
      how = 'look'
      break
    end
    looks = looks - 1
    local next_, next_late = peek(ordinary), peek(late)
    local from = ordinary
    if not next_ or (next_late and next_late < next_) then from = late end
    local member = from.page[from.at]
    if not member or take(member, tonumber(from.page[from.at + 1]), 1) == 'full' then break end
    reached, from.at = from.page[from.at + 1], from.at + 2
  end
end

-- Write -----------------------------------------------------------------------------------------
local function each(command, name, items)
  if #items > 0 then call(command, name, unpack(items)) end
end

each('HSET', h, held)
each('ZADD', w, due)
each('ZADD', x, dead)
each('HDEL', h, gone)
each('ZREM', r, gone)
if #entries > 0 then
  local taken = {}
  for place, entry in ipairs(entries) do taken[place] = entry[4] end
  call('ZREM', r, unpack(taken))
  if ordered then call('HSET', h, 'o', '1') end
end
if reached ~= before or (#entries > 0 and not started) then call('HSET', KEYS[3], group, reached) end
if #entries > 0 or #dead > 0 or #ended > 0 or reached ~= before then
  -- What is kept of leases lasts as long as what they are of.
  local stays = math.max(call('PTTL', KEYS[1]), call('PTTL', KEYS[2]), 1)
  for place = 3, 7 do
    if call('PTTL', KEYS[place]) < stays then call('PEXPIRE', KEYS[place], stays) end
  end
end
local first = call('ZRANGE', w, 0, 0, 'WITHSCORES')[2]
return {how, first and math.max(0, tonumber(first) - now) or -1, whole(until_), entries}
