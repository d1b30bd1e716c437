-- lease_redrive: hand a page of a group's dead letters out again, with their attempts at nought.
--
-- KEYS  h, r, x of the group, k, o of the key (see redis_leases.py)
-- ARGV  now (ms, "" = the server's clock), channel, key, 8 random bytes
-- ->    {how many live ones, 1 = there are more}

local PAGE = 1000
local call, pack, unpack_ = redis.call, struct.pack, struct.unpack

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local letters = call('ZRANGE', KEYS[3], 0, PAGE - 1)
if #letters == 0 then return {0, 0} end
local kept, back = {}, {}
for _, letter in ipairs(letters) do
  local member = string.sub(letter, 1, 7)
  local score = string.format('%.0f', unpack_('>I7', member))
  local reference = call('ZRANGEBYSCORE', KEYS[4], score, score, 'LIMIT', 0, 1)[1]
    or call('ZRANGEBYSCORE', KEYS[5], score, score, 'LIMIT', 0, 1)[1]
  if reference and unpack_('>I6', reference) > now then
    kept[#kept + 1], kept[#kept + 2] = member, pack('>I2', 0) .. ARGV[4]
    back[#back + 1], back[#back + 2] = score, member
  end
end
if #back > 0 then
  call('HSET', KEYS[1], unpack(kept))
  call('ZADD', KEYS[2], unpack(back))
  local stays = call('PTTL', KEYS[3])
  for place = 1, 2 do
    if stays > 0 and call('PTTL', KEYS[place]) < stays then
      call('PEXPIRE', KEYS[place], stays)
    end
  end
  call('PUBLISH', ARGV[2], '- ' .. ARGV[3])
end
call('ZREM', KEYS[3], unpack(letters))
return {#back / 2, #letters == PAGE and 1 or 0}
