-- lanes: how far each stream has been handed over. Writes nothing.
--
-- KEYS  the partitions' streams, then those of the bulk
-- ARGV  group
-- ->    for each stream the id of the last entry that was handed over, "0-0" for none

local found = {}
for place, stream in ipairs(KEYS) do
  found[place] = '0-0'
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for _, fields in ipairs(groups.err and {} or groups) do
    local about = {}
    for at = 1, #fields, 2 do about[fields[at]] = fields[at + 1] end
    if about.name == ARGV[1] then found[place] = about['last-delivered-id'] end
  end
end
return found
