-- history: live entries under one key in storing order, from a sequence on. Writes nothing.
--
-- KEYS  k, o, {acct}:seq
-- ARGV  now (ms, "" = the server's clock), what the names of payload keys begin with,
--       the sequence after which to begin, how many entries, how many bytes of payloads,
--       "1" = the first entry whatever its size
-- ->    {how it ended, sequence up to which all was looked at, the account's last sequence,
--        number of dead references among them, {{expiry, payload, id}, ...}, now}
--       ended: "end" (nothing follows) | "more" (a live entry follows) | "look" (too many dead
--       references for one call: ask again from there)

local LOOKS, PAGE = 1024, 128          -- references in one call, and in one page of a set
local ENTRY_BYTES = 512                -- what an entry counts for besides its payload
local call, unpack_ = redis.call, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local limit, left, first = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'

-- One of the two sets, read page by page; `seq` is the sequence of what `member` refers to.
local function source(set)
  return {set = set, from = ARGV[3], page = {}, at = 1, ended = false}
end

local function peek(from)
  if from.at > #from.page and not from.ended then
    from.page = call('ZRANGEBYSCORE', from.set, '(' .. from.from, '+inf', 'WITHSCORES', 'LIMIT',
      0, PAGE)
    from.at, from.ended = 1, #from.page < 2 * PAGE
    from.from = from.page[#from.page] or from.from
  end
  return tonumber(from.page[from.at + 1])
end

local ordered, late = source(KEYS[1]), source(KEYS[2])
local entries, dead, reached, ended = {}, 0, ARGV[3], 'look'
for _ = 1, LOOKS do
  local next_, next_late = peek(ordered), peek(late)
  local from = ordered
  if not next_ or (next_late and next_late < next_) then from = late end
  local member = from.page[from.at]
  if not member then
    ended = 'end'
    break
  end
  local expiry, id = unpack_('>I6', member), string.sub(member, 13)
  local payload = expiry > now and call('GET', ARGV[2] .. id)
  if payload then
    local size = #payload + ENTRY_BYTES
    if #entries >= limit or (size > left and not first) then
      ended = 'more'
      break
    end
    left, first = left - size, false
    entries[#entries + 1] = {string.format('%.0f', expiry), payload, id}
  else
    dead = dead + 1
  end
  reached, from.at = from.page[from.at + 1], from.at + 2
end
return {ended, reached, call('GET', KEYS[3]) or '0', dead, entries, now}
