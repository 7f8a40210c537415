local HEARD = 2.5  -- seconds in which everybody who lives is heard of
local STILL = 5    -- seconds for which one who has more to tell is waited for, each time that it says so
local LONGEST = 60 -- seconds after which nobody is
local members

local function keep_epoch() call('SET', 'ag:epoch', pack(epoch)) end

-- Nothing is granted while those who hold something tell again: for TTL where somebody knows that there was something
-- before, else for as long as somebody who lives needs to be heard. Nobody can tell a new fleet from one that lost all.
local function doubt()
  if not epoch[3] then
    epoch[3] = true
    keep_epoch()
  end
end

local function in_grace() return now < math.max(epoch[2] + (epoch[3] and TTL or HEARD), epoch[5] or 0) end

-- What takes long to be told is waited for.
local function wait_for_more()
  local till = math.min(now + STILL, epoch[2] + LONGEST)
  if not (epoch[3] and in_grace()) or till < (epoch[5] or 0) + 0.5 then return end
  epoch[5] = till
  keep_epoch()
end

local seen = call('HGET', 'ag:turns', process)
seen = seen and unpacked(seen)
if seen and seen[1] < run then seen = nil end
local late = seen and (seen[1] > run or seen[2] >= turn)

local function begin()
  local kept = call('GET', 'ag:epoch')
  epoch = kept and unpacked(kept) or {fresh, now, false, server(), 0}
  epoch[4] = epoch[4] or ''
  local old_copy = seen and not late and seen[2] < answered and known == epoch[1]
  if old_copy then epoch = {fresh, now, true, epoch[4], 0} end
  if old_copy or not kept then keep_epoch() end
  if known ~= '' and known ~= epoch[1] then doubt() end
end

-- What is neither spent nor leased nor lost, under the tightest cap.
local function room(sum, caps)
  local least = math.huge
  for i, name in ipairs(STRETCHES) do
    if caps[i] then least = math.min(least, caps[i] - sum[name][2] - sum.leased - lingering(sum, name)) end
  end
  return math.max(0, least)
end

-- The last money goes to whoever needs it; beyond its need nobody gets more than half a fair share of what is left.
local function lend(sum, part, caps, need, want)
  local before, held = lease_of(part), part.ceiling
  local base, free = math.max(held, part.life[2]), room(sum, caps)
  local most = base + math.floor(free / (2 * members))
  if need <= base + free then most = math.max(most, need) end
  part.ceiling = math.max(held, math.min(math.max(want, need), most))
  sum.leased = sum.leased + lease_of(part) - before
end

local function seat(sum, part, wished, limit)
  local free = limit and math.max(0, limit - sum.slots) or math.huge
  local more = math.max(0, math.min(wished - part.slots, free))
  part.slots, sum.slots = part.slots + more, sum.slots + more
end

local function hear(sum, part, ask)
  local lease, slots = lease_of(part), part.slots
  local told = {hour = {ask[3][1], unpack(ask[5])}, day = {ask[4][1], unpack(ask[6])}, life = {0, unpack(ask[7])}}
  told.hour[7], told.day[7] = ask[3][2], ask[4][2]
  for _, name in ipairs(STRETCHES) do
    tell(sum[name], part[name], told[name])
    part[name] = told[name]
  end
  part.ceiling, part.slots = ask[8], ask[11]
  if part.run ~= run then part.run, part.buckets = run, {} end
  sum.leased = sum.leased + lease_of(part) - lease
  sum.slots = sum.slots + part.slots - slots
end

-- One who is new here, and knows of any agent more than nothing, was there before a loss.
local function remembers(ask)
  return ask[7][1] + ask[7][2] > 0 and call('HEXISTS', 'ag:a:' .. ask[1], 'p:' .. process) == 0
end

-- What there is of an agent.
local function load(key, agent, gone)
  local got = call('HMGET', key, 'sum', 'p:' .. process, 'caps')
  local sum, part = got[1] and unpacked(got[1]) or new_sum(), got[2] and unpacked(got[2]) or new_part()
  if not got[2] then call('SADD', 'ag:of:' .. process, agent) end
  if #gone > 0 and in_grace() then recall(key, sum, gone) end
  if part.gone then come_back(sum, agent, part) end
  let_go(sum)
  return sum, part, got[3] and unpacked(got[3])
end

-- While nobody knows whether there was a bucket before, there is none: what is taken meanwhile is taken from it later.
local function rated(sum, part, bucket)
  local name, upto = bucket[1], bucket[4]
  if epoch[3] or not in_grace() then return pour(sum, part, bucket, in_grace() and 0 or 1) end
  part.buckets[name] = part.buckets[name] or upto
  return {name, upto, 0, 0}
end

local function within(bounds) return bounds[1] <= now and now < bounds[2] end

local function answer(ask)
  local agent = ask[1]
  if not (within(ask[3]) and within(ask[4])) then
    local none = {0, 0, 0, 0, 0}
    return {agent, true, ask[8], none, none, none, 0, ask[11], {}, ask[15]}
  end
  local key = 'ag:a:' .. agent
  local sum, part, caps = load(key, agent, ask[15])
  hear(sum, part, ask)
  if not in_grace() then
    lend(sum, part, caps or ask[2], ask[9], ask[10])
    seat(sum, part, ask[12], ask[13])
  end
  local poured = {}
  for i, bucket in ipairs(ask[14]) do poured[i] = rated(sum, part, bucket) end
  call('HSET', key, 'sum', pack(sum), 'p:' .. process, pack(part))
  return {
    agent, false, part.ceiling, others(sum.hour, part.hour), others(sum.day, part.day), others(sum.life, part.life),
    sum.leased - lease_of(part), part.slots, poured, sum.gone,
  }
end

begin()
local grants = {}
if not late then
  call('HSET', 'ag:turns', process, pack({run, turn}))
  call('ZADD', 'ag:procs', now, process)
  members = call('ZCARD', 'ag:procs')
  for _, ask in ipairs(known ~= epoch[1] and asks or {}) do
    if remembers(ask) then doubt() end
  end
  if telling then wait_for_more() end
  for i, ask in ipairs(asks) do grants[i] = answer(ask) end
end
clear()
local version, begins = tonumber(call('GET', 'ag:version') or 0), in_grace() and not epoch[3]
return pack({now, epoch[1], in_grace(), members or 1, version, grants, begins})
