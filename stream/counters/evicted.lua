-- Finds missing keys of the current generation: they were evicted, or deleted from outside. Called only by
-- stream/counters/store.py, which explains the keys.
--
-- KEYS[1]  root that all keys begin with
-- Returns [number of missing keys, one of them].

local root = KEYS[1]
local base = root .. ':' .. (redis.call('GET', root .. ':generation') or '0') .. ':'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gone, one = 0, ''

local function expect(key)
  if redis.call('EXISTS', key) == 0 then gone, one = gone + 1, key end
end

redis.call('ZREMRANGEBYSCORE', base .. 'expiring', '-inf', string.format('%.0f', now + 1000)) -- these may be gone by now
for _, key in ipairs(redis.call('ZRANGE', base .. 'expiring', 0, -1)) do expect(key) end

local tallies = redis.call('HKEYS', base .. 'tallies')
if redis.call('EXISTS', base .. 'expiring') == 1 then expect(base .. 'tallies') end -- what expires was counted
if #tallies > 0 then expect(base .. 'marks') end
for _, name in ipairs(tallies) do
  local kind = string.match(name, '^mentions:(.*)$')
  if kind then expect(base .. 'total:' .. kind) end
end
return {gone, one}
