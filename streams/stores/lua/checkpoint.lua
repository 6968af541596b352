-- Write what one batch changes if the lane is still at the sequence the batch started from.
--
-- KEYS    meta hash, sorted set of waits, then a journey key for each journey to write, then one for each to forget
-- ARGV    expected sequence, next sequence, meta, number of journeys, number of waits,
--         then the journeys, then due and person of each wait, then the persons without a wait from now on
-- result  the sequence stored after the call: the next one when it was written, now or by an earlier try
-- equals  MemoryStore.checkpoint

-- unpack fails from about 8000 values on
local CHUNK = 4000
local HEAD = 5

local meta, waits = KEYS[1], KEYS[2]
local stored = redis.call('HGET', meta, 'seq') or '0'
if stored ~= ARGV[1] then
  return tonumber(stored)
end
local journeys, waiting = tonumber(ARGV[4]), tonumber(ARGV[5])

local function in_chunks(values, first, last, write)
  for from = first, last, CHUNK do
    write(unpack(values, from, math.min(from + CHUNK - 1, last)))
  end
end

local written = {}
for i = 1, journeys do
  written[2 * i - 1] = KEYS[2 + i]
  written[2 * i] = ARGV[HEAD + i]
end
in_chunks(written, 1, 2 * journeys, function(...) redis.call('MSET', ...) end)
in_chunks(KEYS, 3 + journeys, #KEYS, function(...) redis.call('UNLINK', ...) end)

local first_wait = HEAD + journeys + 1
local first_unwaited = first_wait + 2 * waiting
in_chunks(ARGV, first_wait, first_unwaited - 1, function(...) redis.call('ZADD', waits, ...) end)
in_chunks(ARGV, first_unwaited, #ARGV, function(...) redis.call('ZREM', waits, ...) end)

-- last, so that whatever may stop this script leaves a sequence at which it is run again in full
redis.call('HSET', meta, 'seq', ARGV[2], 'meta', ARGV[3])
return tonumber(ARGV[2])
