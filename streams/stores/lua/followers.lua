-- Read who follows products, a page of each, and the sequence they belong to, at one moment.
--
-- KEYS    meta hash, sorted set of followers
-- ARGV    limit, then for each page: the product's prefix, and the person after whom it begins
-- result  the stored sequence, then for each page its entries, each with the prefix, in the order of their bytes
-- equals  MemoryStore.followers

local meta, followers, limit = KEYS[1], KEYS[2], ARGV[1]
local result = { tonumber(redis.call('HGET', meta, 'seq') or '0') }
for i = 2, #ARGV, 2 do
  local prefix = ARGV[i]
  -- no text in UTF-8 has the byte 255
  local page = redis.call('ZRANGEBYLEX', followers, '(' .. prefix .. ARGV[i + 1], '(' .. prefix .. '\255', 'LIMIT', 0, limit)
  result[#result + 1] = page
end
return result
