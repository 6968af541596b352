-- Write what one batch changes if the lane is still at the sequence the batch started from.
--
-- KEYS    meta hash, sorted set of waits, that of followers, then a key for each journey and listing to write,
--         then one for each journey to forget
-- ARGV    expected sequence, next sequence, meta, number of journeys and listings, number of waits, number of
--         persons without a wait from now on, number of new followers; then the journeys and listings, due and
--         person of each wait, the persons without one, 0 and entry of each new follower, the entries of former ones
-- result  the sequence stored after the call: the next one when it was written, now or by an earlier try
-- equals  MemoryStore.checkpoint

-- unpack fails from about 8000 values on
local CHUNK = 4000
local HEAD = 7
local FIXED = 3

local meta, waits, followers = KEYS[1], KEYS[2], KEYS[3]
local stored = redis.call('HGET', meta, 'seq') or '0'
if stored ~= ARGV[1] then
  return tonumber(stored)
end
local writing, waiting = tonumber(ARGV[4]), tonumber(ARGV[5])
local unwaiting, following = tonumber(ARGV[6]), tonumber(ARGV[7])

local function in_chunks(values, first, last, write)
  for from = first, last, CHUNK do
    write(unpack(values, from, math.min(from + CHUNK - 1, last)))
  end
end

local written = {}
for i = 1, writing do
  written[2 * i - 1] = KEYS[FIXED + i]
  written[2 * i] = ARGV[HEAD + i]
end
in_chunks(written, 1, 2 * writing, function(...) redis.call('MSET', ...) end)
in_chunks(KEYS, FIXED + 1 + writing, #KEYS, function(...) redis.call('UNLINK', ...) end)

local first_wait = HEAD + writing + 1
local first_unwaited = first_wait + 2 * waiting
local first_follower = first_unwaited + unwaiting
local first_former = first_follower + 2 * following
in_chunks(ARGV, first_wait, first_unwaited - 1, function(...) redis.call('ZADD', waits, ...) end)
in_chunks(ARGV, first_unwaited, first_follower - 1, function(...) redis.call('ZREM', waits, ...) end)
in_chunks(ARGV, first_follower, first_former - 1, function(...) redis.call('ZADD', followers, ...) end)
in_chunks(ARGV, first_former, #ARGV, function(...) redis.call('ZREM', followers, ...) end)

-- last, so that whatever may stop this script leaves a sequence at which it is run again in full
redis.call('HSET', meta, 'seq', ARGV[2], 'meta', ARGV[3])
return tonumber(ARGV[2])
