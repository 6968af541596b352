-- Read journeys and the sequence they belong to, at one moment.
--
-- KEYS    meta hash, then the journey key of each person
-- ARGV    none
-- result  the stored sequence, then the journey of each person, nil for the unknown
-- equals  MemoryStore.load

-- unpack fails from about 8000 values on
local CHUNK = 4000

local result = { tonumber(redis.call('HGET', KEYS[1], 'seq') or '0') }
for from = 2, #KEYS, CHUNK do
  local found = redis.call('MGET', unpack(KEYS, from, math.min(from + CHUNK - 1, #KEYS)))
  for i = 1, #found do
    result[from + i - 1] = found[i]
  end
end
return result
