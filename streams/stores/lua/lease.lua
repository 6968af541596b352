-- Lease some of a rate's tokens: each has a time of its own, and whoever asks gets the next free ones.
--
-- Of those who wait for theirs nobody gets more than `saved` ahead of the one who has had the fewest: as much for
-- everybody, whether they ask for many at a time or for few. Who was not waiting begins beside that one.
--
-- KEYS    when the next token is free, microseconds of the server's clock
--         who waits: of each the name, how many were given, until when
-- ARGV    how many, microseconds between two tokens, how many may be saved up, ms to keep the keys, who asks
-- result  how many are leased, microseconds until all of them may be used; with 0: until it is worth asking again

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local wanted, apart, saved = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept, me = tonumber(ARGV[4]), ARGV[5]

-- Whose tokens have just become good may be about to ask again; what is saved up meanwhile is not lost.
local grace = (saved - 1) * apart / 2
local others, mine, least, due = {}, nil, nil, nil
for name, given, till in string.gmatch(redis.call('GET', KEYS[2]) or '', '(%w+) (%d+) (%d+);') do
  given, till = tonumber(given), tonumber(till)
  if till + grace >= now then
    if name == me then
      mine = given
    else
      others[#others + 1] = string.format('%s %.0f %.0f;', name, given, till)
      if not least or given < least then
        least, due = given, till
      end
    end
  end
end
mine = mine or least or 0

local room = wanted
if least and saved > 1 then
  room = math.min(wanted, least + saved - mine)
end

local till, wait
local free = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now - (saved - 1) * apart)
if room > 0 then
  till = free + (room - 1) * apart
  wait = math.max(0, math.ceil(till - now))
  free = free + room * apart
  redis.call('SET', KEYS[1], string.format('%.0f', free))
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', free / 1000 + kept))
else
  room = 0
  wait = math.max(0, math.ceil(due - now)) + 2000
  till = now + wait
end

others[#others + 1] = string.format('%s %.0f %.0f;', me, mine + room, math.max(till, now))
redis.call('SET', KEYS[2], table.concat(others))
redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', math.max(free, till) / 1000 + kept))
return {room, wait}
