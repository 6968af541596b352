-- Lease some of a rate's tokens: each has a time of its own, and whoever asks gets the next free ones.
--
-- KEYS    when the next token is free, microseconds of the server's clock
-- ARGV    how many, microseconds between two tokens, how many may be saved up, ms to keep the key
-- result  microseconds until all of them may be used

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local wanted, apart, saved = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local free = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now - (saved - 1) * apart)
local last = free + (wanted - 1) * apart

local next_free = string.format('%.0f', free + wanted * apart)
redis.call('SET', KEYS[1], next_free)
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', (free + wanted * apart) / 1000 + tonumber(ARGV[4])))
return math.max(0, math.ceil(last - now))
