-- ledger: what an account has in the store, counted; put, purge, retime and usage begin with it.
--
-- KEYS  none of its own: the functions are told what all names of the account begin with
-- ARGV  none
-- ->    the table `ledger` with the functions below
--
-- {acct}:b  HASH  end of a span (ms) -> bytes of the payloads that end in it; t: their sum; n: no
--                 span ends before
-- {acct}:y  ZSET  key: until when nobody needs to look whether anything lives under it
--
-- An event is charged once, for its payload, in the span that its last expiry falls into; spans are
-- shorter than the time that the payload stays besides, so it is charged until it has ended and no
-- longer than it is there. What is charged where follows from the event's life alone: from when it
-- was received, and from the latest of the expiries that it lists.
--
-- Reading changes nothing, so that a script can read all before its first write.

local ledger = {}

do
  local NEVER = 2 ^ 53
  local DAY_MS = 24 * 3600 * 1000
  local LOOK = 64                      -- references of a set, to see whether one is alive
  local AGAIN_MS = 60000               -- when all of these were dead, and there are more
  local call, unpack_ = redis.call, struct.unpack

  local function whole(number) return string.format('%.0f', number) end

  -- The end of the span that an event is charged in.
  local widths = {}
  function ledger.span(received, expiry)
    local ttl = expiry - received
    local width = widths[ttl]
    if not width then
      local grace = math.min(300000, math.max(10000, math.floor(ttl / 10)))
      width = 8192
      while width * 2 <= grace do width = width * 2 end
      widths[ttl] = width
    end
    return expiry + (-expiry % width)
  end

  -- A book to write changes in; what the account has needn't be known for that.
  function ledger.open(tag, now)
    return {name = tag .. 'b', now = now, gone = {}, ended = 0, changes = {}}
  end

  -- The spans that have ended, and the bytes in them; `first`: the end of the earliest of the others.
  local function look_through(book)
    local all = call('HGETALL', book.name)
    book.first = NEVER
    for at = 1, #all, 2 do
      local ends = tonumber(all[at])
      if ends and ends <= book.now then
        book.gone[#book.gone + 1] = all[at]
        book.ended = book.ended + tonumber(all[at + 1])
      elseif ends then
        book.first = math.min(book.first, ends)
      end
    end
  end

  local function find_first(book, text)
    book.known = tonumber(text or NEVER)
    book.first = book.known
    if book.first <= book.now then look_through(book) end
  end

  -- The same, with what the account has: `total`.
  function ledger.read(tag, now)
    local book = ledger.open(tag, now)
    local head = call('HMGET', book.name, 't', 'n')
    find_first(book, head[2])
    book.total = tonumber(head[1] or 0) - book.ended
    return book
  end

  function ledger.charge(book, ends, bytes)
    book.changes[ends] = (book.changes[ends] or 0) + bytes
  end

  -- What was charged before counts as far as it is still there. -> bytes, whether the span is new
  local function change(book, ends, bytes)
    local field = whole(ends)
    if bytes < 0 then bytes = -math.min(-bytes, tonumber(call('HGET', book.name, field) or 0)) end
    if bytes == 0 then return 0, false end
    local count = call('HINCRBY', book.name, field, whole(bytes))
    if count <= 0 then call('HDEL', book.name, field) end
    return bytes, count == bytes
  end

  -- Mostly two commands; all else waits until a span begins. -> whether one did
  function ledger.write(book)
    local sum, opened = 0, NEVER
    for ends, bytes in pairs(book.changes) do
      if ends > book.now then
        local done, new = change(book, ends, bytes)
        sum = sum + done
        if new then opened = math.min(opened, ends) end
      end
    end
    if opened < NEVER and not book.first then find_first(book, call('HGET', book.name, 'n')) end
    for at = 1, #book.gone, 1000 do
      call('HDEL', book.name, unpack(book.gone, at, math.min(at + 999, #book.gone)))
    end
    sum = sum - book.ended
    if sum ~= 0 and call('HINCRBY', book.name, 't', whole(sum)) <= 0 then
      call('UNLINK', book.name)
      return false
    end
    local first = math.min(book.first or NEVER, opened)
    if book.first and first ~= book.known then call('HSET', book.name, 'n', whole(first)) end
    return opened < NEVER
  end

  local function last(name, now, stays)
    local left = call('PTTL', name)
    if left < 0 or now + left < stays then call('PEXPIREAT', name, whole(stays + DAY_MS)) end
  end

  -- Both are there for as long as what they count. This is due when a span or a key is new: the
  -- day that they stay besides is longer than what ends in one span can differ.
  function ledger.keep(tag, now, stays)
    last(tag .. 'b', now, stays)
    last(tag .. 'y', now, stays)
  end

  local function live_until(set, now)
    local found, best = call('ZREVRANGE', set, 0, LOOK - 1), 0
    for _, member in ipairs(found) do best = math.max(best, (unpack_('>I6', member))) end
    if best <= now and #found == LOOK then return now + AGAIN_MS end
    return best
  end

  -- Look at keys whose time has come: {scores and names to be kept, names to be forgotten}.
  function ledger.look(tag, now, limit)
    local kept, dead = {}, {}
    for _, key in ipairs(call('ZRANGEBYSCORE', tag .. 'y', '-inf', whole(now), 'LIMIT', 0, limit)) do
      local best = math.max(live_until(tag .. 'k:' .. key, now), live_until(tag .. 'o:' .. key, now))
      if best > now then
        kept[#kept + 1], kept[#kept + 2] = whole(best), key
      else
        dead[#dead + 1] = key
      end
    end
    return {kept = kept, dead = dead}
  end

  function ledger.forget(tag, looked)
    for at = 1, #looked.dead, 1000 do
      call('ZREM', tag .. 'y', unpack(looked.dead, at, math.min(at + 999, #looked.dead)))
    end
    for at = 1, #looked.kept, 1000 do
      call('ZADD', tag .. 'y', unpack(looked.kept, at, math.min(at + 999, #looked.kept)))
    end
  end
end
