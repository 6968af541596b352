-- Give a lane more of a ceiling, as much as it lacks or a share of what is left, but never more than that.
--
-- KEYS    the hash of one rule and window: lane -> what it has been granted
-- ARGV    lane, what it knows to have, how many it lacks, the ceiling, lanes that share it, ms to keep the hash
-- result  what the lane has now, what is left for all
-- equals  MemoryStore.grant

local lane, has, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local most, lanes = tonumber(ARGV[4]), tonumber(ARGV[5])

local held, others = 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] == lane then
    held = tonumber(all[i + 1])
  else
    others = others + tonumber(all[i + 1])
  end
end

local known = math.max(held, has)
local left = math.max(most - others - known, 0)
local lacks = wanted - (known - has)
local portion = 0
if lacks > 0 then
  portion = math.min(left, math.max(lacks, math.ceil(left / (2 * lanes))))
end

redis.call('HSET', KEYS[1], lane, known + portion)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return { known + portion, left - portion }
