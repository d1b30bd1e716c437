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

  function ledger.read(tag, now)
    local head = call('HMGET', tag .. 'b', 't', 'n')
    local book = {name = tag .. 'b', now = now, total = tonumber(head[1] or 0),
                  first = tonumber(head[2] or NEVER), gone = {}, changes = {}}
    if book.first > now then return book end
    local all = call('HGETALL', book.name)
    book.first = NEVER
    for at = 1, #all, 2 do
      local ends = tonumber(all[at])
      if ends and ends <= now then
        book.gone[#book.gone + 1] = all[at]
        book.total = book.total - tonumber(all[at + 1])
      elseif ends then
        book.first = math.min(book.first, ends)
      end
    end
    return book
  end

  function ledger.charge(book, ends, bytes)
    book.changes[ends] = (book.changes[ends] or 0) + bytes
  end

  -- What was charged before counts as far as it is still there.
  local function change(book, ends, bytes)
    local field = whole(ends)
    if bytes < 0 then bytes = -math.min(-bytes, tonumber(call('HGET', book.name, field) or 0)) end
    if bytes == 0 then return end
    book.total = book.total + bytes
    if call('HINCRBY', book.name, field, whole(bytes)) <= 0 then
      call('HDEL', book.name, field)
    else
      book.first = math.min(book.first, ends)
    end
  end

  function ledger.write(book)
    for at = 1, #book.gone, 1000 do
      call('HDEL', book.name, unpack(book.gone, at, math.min(at + 999, #book.gone)))
    end
    for ends, bytes in pairs(book.changes) do
      if ends > book.now then change(book, ends, bytes) end
    end
    if book.total <= 0 then return call('UNLINK', book.name) end
    call('HSET', book.name, 't', whole(book.total), 'n', whole(book.first))
  end

  local function lasts(name, now, stays)
    local left = call('PTTL', name)
    if left >= 0 and now + left >= stays then return false end
    call('PEXPIREAT', name, whole(stays + DAY_MS))
    return true
  end

  -- Both are there for as long as what they count; `fresh`: keys may be new.
  function ledger.keep(tag, now, stays, fresh)
    if lasts(tag .. 'b', now, stays) or fresh then lasts(tag .. 'y', now, stays) end
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
