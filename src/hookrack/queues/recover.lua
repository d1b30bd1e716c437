-- recover: end the leases of one consumer at once, so that the next reclaim finds them.
--
-- KEYS  the partitions' streams
-- ARGV  group, consumer, lease (ms)
-- ->    how many leases were ended

local PAGE = 1000
local count = 0

for _, stream in ipairs(KEYS) do
  local from = '-'
  repeat
    local pending = redis.call('XPENDING', stream, ARGV[1], from, '+', PAGE, ARGV[2])
    for _, entry in ipairs(pending) do
      redis.call('XCLAIM', stream, ARGV[1], ARGV[2], 0, entry[1], 'IDLE', ARGV[3], 'JUSTID')
      from = '(' .. entry[1]
    end
    count = count + #pending
  until #pending < PAGE
end
return count
