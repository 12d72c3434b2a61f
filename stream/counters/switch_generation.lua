-- Makes a rebuilt generation the current one if it is complete. Called only by stream/counters/rebuild.py.
--
-- KEYS[1]  root of the counters' keys     ARGV[1]  the rebuilt generation
-- ARGV[2]  JSON: the current generation's marks, read before the last receipts, so that all are accounted for
-- ARGV[3]  JSON: the highest committed offsets, by the marks' fields, read before that: dead posts have no receipts,
--          so a mark may be below, and workers would treat that as lost counts
-- Returns 'switched', 'behind' (a worker counted meanwhile: continue reading) or 'lost' (the rebuild's lock is gone).

local root, generation, accounted, committed = KEYS[1], ARGV[1], cjson.decode(ARGV[2]), cjson.decode(ARGV[3])
if redis.call('GET', root .. ':rebuild') ~= generation then return 'lost' end

local current = root .. ':' .. (redis.call('GET', root .. ':generation') or '0') .. ':marks'
local rebuilt = root .. ':' .. generation .. ':marks'
local pairs_, missing = redis.call('HGETALL', current), {}
for i = 1, #pairs_, 2 do
  local field, mark = pairs_[i], tonumber(pairs_[i + 1])
  if mark > tonumber(redis.call('HGET', rebuilt, field) or -1) then
    if mark ~= accounted[field] then return 'behind' end
    missing[field] = pairs_[i + 1]
  end
end
-- Counted once, but its receipts are no longer kept: workers must not count it again.
for field, mark in pairs(missing) do redis.call('HSET', rebuilt, field, mark) end
for field, offset in pairs(committed) do
  if offset > tonumber(redis.call('HGET', rebuilt, field) or -1) then
    redis.call('HSET', rebuilt, field, string.format('%.0f', offset))
  end
end
redis.call('SET', root .. ':generation', generation)
redis.call('DEL', root .. ':rebuild', root .. ':hold')
return 'switched'
