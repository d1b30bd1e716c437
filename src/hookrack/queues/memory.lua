-- memory: how much memory this engine uses, and how much of it envelopes that wait. Writes nothing.
--
-- KEYS  the partitions' streams (none where the queue is on another engine)
-- ARGV  how many nodes of each stream are measured; the rest is taken to be like them
-- ->    {bytes used, bytes allowed (0 = no limit), bytes of the streams}

local info = redis.call('INFO', 'memory')

local function field(name)
  return tonumber(string.match(info, '\n' .. name .. ':(%d+)') or 0)
end

local queued = 0
for _, stream in ipairs(KEYS) do
  queued = queued + (redis.call('MEMORY', 'USAGE', stream, 'SAMPLES', ARGV[1]) or 0)
end
return {field('used_memory'), field('maxmemory'), queued}
