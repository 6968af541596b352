-- Read a page of waits, and the sequence they belong to, at one moment.
--
-- KEYS    meta hash, sorted set of waits
-- ARGV    after, until (due in epoch ms, after < due <= until), limit (at least 1)
-- result  the stored sequence, then one list: person, due, person, due, ... in the order (due, person);
--         a due time is never cut in two, so the list may be longer than the limit
-- equals  MemoryStore.waits

local meta, waits = KEYS[1], KEYS[2]
local after, till, limit = '(' .. ARGV[1], ARGV[2], tonumber(ARGV[3])

local last = redis.call('ZRANGEBYSCORE', waits, after, till, 'WITHSCORES', 'LIMIT', limit - 1, 1)
return {
  tonumber(redis.call('HGET', meta, 'seq') or '0'),
  redis.call('ZRANGEBYSCORE', waits, after, last[2] or till, 'WITHSCORES'),
}
