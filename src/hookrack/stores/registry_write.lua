-- registry_write: change the configuration in one step, if nobody has changed it meanwhile.
--
-- KEYS  {cfg}:v, then for each change the hash it goes to
-- ARGV  expected version, channel, then for each change: field, value ("" deletes the field)
-- ->    the new version, or -1 where the version was another

local version = tonumber(redis.call('GET', KEYS[1]) or 0)
if version ~= tonumber(ARGV[1]) then return -1 end
version = version + 1
redis.call('SET', KEYS[1], string.format('%.0f', version))
for change = 2, #KEYS do
  local field, value = ARGV[2 * change - 1], ARGV[2 * change]
  if value == '' then redis.call('HDEL', KEYS[change], field)
  else redis.call('HSET', KEYS[change], field, value) end
end
redis.call('PUBLISH', ARGV[2], string.format('%.0f', version))
return version
