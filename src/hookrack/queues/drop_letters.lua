-- drop_letters: let go of dead letters, and say where the redriven ones are now.
--
-- KEYS  the set of dead letters (permanent), then for each letter: its own key, its place in the
--       index of event ids
-- ARGV  for how long a place in the queue is told (ms), then for each letter: its id, the place of
--       its event in the queue ("" = discarded)
-- ->    how many were still there
--
-- A letter that was buried anew meanwhile has another id: it and its place in the index stay.

local letters, told = KEYS[1], ARGV[1]
local dropped = 0
local at, from = 2, 2
while from <= #ARGV do
  local letter_key, index = KEYS[at], KEYS[at + 1]
  local letter_id, place = ARGV[from], ARGV[from + 1]
  dropped = dropped + redis.call('DEL', letter_key)
  redis.call('ZREM', letters, letter_id)
  if redis.call('GET', index) == letter_id then
    if place == '' then redis.call('DEL', index)
    else redis.call('SET', index, place, 'PX', told) end
  end
  at, from = at + 2, from + 2
end
return dropped
