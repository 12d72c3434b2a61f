-- Counts one batch of one partition atomically. Called only by stream/counters/store.py, which explains the keys.
--
-- KEYS[1]  root that all keys begin with; they share its hash tag, so the keys derived below are in the same slot
-- ARGV[1]  generation to write; '' for the current one
-- ARGV[2]  field of the high-water mark: topic UUID and partition
-- ARGV[3]  JSON: {window, tolerance, buckets: [[name, seconds, keep], ...]}, times in ms except a bucket's width
-- ARGV[4]  JSON: [[offset, id, tagged_at, created_at, [[type, canonical, form], ...]], ...] in offset order; a form to show,
--          without line ends, may be missing
-- Returns the mark as it was before (-1: none), as text; or 'held' (a rebuild is switching generations: try again) or
-- 'lost' (this rebuild's lock is gone).

local root, generation, field = KEYS[1], ARGV[1], ARGV[2]
local options, posts = cjson.decode(ARGV[3]), cjson.decode(ARGV[4])

if generation == '' then
  if redis.call('EXISTS', root .. ':hold') == 1 then return 'held' end
  generation = redis.call('GET', root .. ':generation') or '0'
else
  if redis.call('GET', root .. ':rebuild') ~= generation then return 'lost' end
  redis.call('PEXPIRE', root .. ':rebuild', 60000)
end

local base = root .. ':' .. generation .. ':'
local marks, seen = base .. 'marks', base .. 'seen'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('HGET', marks, field) or '-1'
local mark = tonumber(before)
local newest = 0
local sums, tallies, keeps = {}, {}, {} -- key -> member -> count; field -> count; key -> ms to keep
local forms = {} -- key -> canonical -> form -> count
local FORMS = 8 -- forms of a canonical form that are remembered
local ARGUMENTS = 1000 -- of one command; Lua's stack has room for 8000

local function add(counts, name, n) counts[name] = (counts[name] or 0) + n end

local function add_to(key, member)
  sums[key] = sums[key] or {}
  add(sums[key], member, 1)
end

-- Whether the post was seen less than a window ago; remembers this sighting.
local function again(id, at)
  if options.window == 0 then return false end
  local last = redis.call('ZSCORE', seen, id)
  redis.call('ZADD', seen, 'GT', at, id)
  return last and math.abs(at - last) < options.window
end

local function add_form(key, canonical, form)
  forms[key] = forms[key] or {}
  forms[key][canonical] = forms[key][canonical] or {}
  add(forms[key][canonical], form, 1)
end

local function count(kind, canonical, form, created, tagged)
  add(tallies, 'mentions:' .. kind, 1)
  add_to(base .. 'total:' .. kind, canonical)
  if form then add_form(base .. 'forms:' .. kind, canonical, form) end
  if created > tagged + options.tolerance then return end -- a future time: in totals only
  for _, bucket in ipairs(options.buckets) do
    local name, seconds, keep = bucket[1], bucket[2], bucket[3]
    local start = math.floor(created / 1000 / seconds) * seconds
    if (start + seconds) * 1000 + keep > now then -- otherwise the bucket has expired
      local key = string.format('%s%s:%s:%.0f', base, name, kind, start)
      add_to(key, canonical)
      keeps[key] = keep
    end
  end
end

-- Expire a key after `keep` ms, and remember that it must exist until then: evicted.lua finds keys that do not. Empty
-- keys do not exist in Redis, such as the dedup window if all of its entries are too old.
local function expire(key, keep)
  if redis.call('PEXPIRE', key, keep) == 1 then
    redis.call('ZADD', base .. 'expiring', string.format('%.0f', now + keep), key)
  else
    redis.call('ZREM', base .. 'expiring', key)
  end
end

-- The forms in `packed`, lines of count and form, with `counts` added. Space-Saving (Metwally et al. 2005): if there is no
-- room, a new form replaces the rarest and inherits its count. So every form that is frequent enough is there.
local function with(packed, counts)
  local kept, size, lines = {}, 0, {}
  for n, form in string.gmatch(packed or '', '(%d+) ([^\n]*)\n') do kept[form], size = tonumber(n), size + 1 end
  for form, n in pairs(counts) do
    if not kept[form] and size == FORMS then
      local rarest
      for other, m in pairs(kept) do
        if not rarest or m < kept[rarest] then rarest = other end
      end
      kept[form], kept[rarest] = kept[rarest], nil
    elseif not kept[form] then
      size = size + 1
    end
    add(kept, form, n)
  end
  for form, n in pairs(kept) do table.insert(lines, string.format('%.0f %s\n', n, form)) end
  return table.concat(lines)
end

local function remember(key, by_canonical)
  local names = {}
  for name in pairs(by_canonical) do table.insert(names, name) end
  for first = 1, #names, ARGUMENTS do
    local some = {unpack(names, first, math.min(first + ARGUMENTS - 1, #names))}
    local packed, fields = redis.call('HMGET', key, unpack(some)), {}
    for i, name in ipairs(some) do
      table.insert(fields, name)
      table.insert(fields, with(packed[i], by_canonical[name]))
    end
    redis.call('HSET', key, unpack(fields))
  end
  redis.call('ZADD', base .. 'expiring', '+inf', key) -- it never expires: if it is missing, it was evicted
end

for _, post in ipairs(posts) do
  local offset, id, tagged, created, mentions = post[1], post[2], post[3], post[4], post[5]
  if offset > mark then
    mark, newest = offset, math.max(newest, tagged)
    if id == '' then -- a dead post: only the mark passes it
    elseif again(id, tagged) then
      add(tallies, 'duplicates', 1)
    else
      add(tallies, 'posts', 1)
      for _, mention in ipairs(mentions) do count(mention[1], mention[2], mention[3], created, tagged) end
    end
  end
end

if newest == 0 then return before end -- all redelivered
redis.call('HSET', marks, field, mark)
for name, n in pairs(tallies) do redis.call('HINCRBY', base .. 'tallies', name, n) end
for key, members in pairs(sums) do
  for member, n in pairs(members) do redis.call('ZINCRBY', key, n, member) end
  if keeps[key] then expire(key, keeps[key]) end
end
for key, by_canonical in pairs(forms) do remember(key, by_canonical) end
if options.window > 0 then
  -- A worker's clock that runs ahead must not make us forget what others just saw: hence the smaller of the two.
  redis.call('ZREMRANGEBYSCORE', seen, '-inf', string.format('(%.0f', math.min(newest, now) - options.window))
  expire(seen, options.window + 60000)
end
return before
