-- keep_rejections: keep refused requests of one account, and drop the oldest of each ring.
--
-- KEYS  the account's list, then for each: its flow's ring, its record, its body
-- ARGV  ttl (ms), the time before which what the list names is gone (us), what the names of
--       records begin with, and those of bodies; then for each: score (us), id, size of its ring,
--       record, body ("" = not kept)
-- ->    how many older ones were dropped

local call = redis.call
local ttl, dropped = ARGV[1], 0

local from = 5
for place = 2, #KEYS, 3 do
  local ring, score, id, size = KEYS[place], ARGV[from], ARGV[from + 1], tonumber(ARGV[from + 2])
  call('SET', KEYS[place + 1], ARGV[from + 3], 'PX', ttl)
  if ARGV[from + 4] ~= '' then call('SET', KEYS[place + 2], ARGV[from + 4], 'PX', ttl) end
  call('ZADD', ring, score, id)
  call('PEXPIRE', ring, ttl)
  call('ZADD', KEYS[1], score, id)
  for _, old in ipairs(call('ZRANGE', ring, 0, -size - 1)) do
    call('ZREM', ring, old)
    call('ZREM', KEYS[1], old)
    call('UNLINK', ARGV[3] .. old, ARGV[4] .. old)
    dropped = dropped + 1
  end
  from = from + 5
end
call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
call('PEXPIRE', KEYS[1], ttl)
return dropped
