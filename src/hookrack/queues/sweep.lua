-- sweep: forget consumers whose process is long gone, never one that still holds a lease.
--
-- KEYS  the partitions' streams
-- ARGV  group, the consumer that asks, for how long it must have been silent (ms)
-- ->    how many were forgotten
--
-- Looking and deleting are one step: a deleted consumer's leases would be lost with it.

local count = 0
for _, stream in ipairs(KEYS) do
  for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', stream, ARGV[1])) do
    local about = {}
    for place = 1, #fields, 2 do about[fields[place]] = fields[place + 1] end
    local silent = about.pending == 0 and about.idle >= tonumber(ARGV[3])
    if silent and about.name ~= ARGV[2] then
      redis.call('XGROUP', 'DELCONSUMER', stream, ARGV[1], about.name)
      count = count + 1
    end
  end
end
return count
