--[[
A process unheard of for TTL is gone. What it had leased is then spent, in the hour, the day and the life there are
("lost"), until it comes back and says what it did. As its last calls may end later than that, what it lost takes room in
the windows that follow, too, for LINGER: sum.lost is a list of {hour, day, cost, till}.

The sums of the gone are told to the living, who tell them again should all of this be lost.
]]
local PORTION = 100 -- agents of one that is gone, looked after in one sync
local HOUR = 3600   -- seconds
local NAMED = 16    -- the gone of an agent that are kept apart; those gone longest are one, without a name

-- The list is {process, part} each, the longest gone first.
local function remember(sum, name, part)
  table.insert(sum.gone, {name, part})
  if #sum.gone <= NAMED then return end
  if sum.gone[1][1] ~= '' then table.insert(sum.gone, 1, {'', new_part()}) end
  local oldest = table.remove(sum.gone, 2)[2]
  fold(sum.gone[1][2], oldest, 1)
  if oldest.lost then fold(sum.gone[1][2], oldest.lost, 1) end
end

local function forget(sum, name, part)
  for i, gone in ipairs(sum.gone) do
    if gone[1] == name then
      table.remove(sum.gone, i)
      return
    end
  end
  local unnamed = sum.gone[1]
  if unnamed and unnamed[1] == '' then
    fold(unnamed[2], part, -1)
    if part.lost then fold(unnamed[2], part.lost, -1) end
  end
end

-- Where a window has ended since anybody told of it, the one that follows is the current one.
local function turn_windows(sum)
  for _, name in ipairs(STRETCHES) do
    local over = sum[name][7]
    if over and now >= over then sum[name] = nothing(over) end
  end
end

-- What was lost in one hour is one entry; `cost` is below 0 for what is found again.
local function linger(sum, lost, cost, till)
  for _, one in ipairs(sum.lost) do
    if one.hour == lost.hour[1] and one.day == lost.day[1] then
      one.cost, one.till = one.cost + cost, math.max(one.till, till)
      return
    end
  end
  if cost > 0 and till >= seconds then
    table.insert(sum.lost, {hour = lost.hour[1], day = lost.day[1], cost = cost, till = till})
  end
end

local function lose(sum, part, lease)
  turn_windows(sum)
  part.lost = {}
  for _, name in ipairs(STRETCHES) do
    part.lost[name] = nothing(sum[name][1])
    part.lost[name][2] = lease
    sum[name][2] = sum[name][2] + lease
  end
  linger(sum, part.lost, lease, seconds + LINGER)
end

local function expire(sum, name, part)
  local lease = lease_of(part)
  sum.leased, sum.slots = sum.leased - lease, sum.slots - part.slots
  part.ceiling, part.slots, part.gone = part.life[2], 0, true
  if lease > 0 then lose(sum, part, lease) end
  remember(sum, name, part)
end

local function find_again(sum, lost)
  for _, name in ipairs(STRETCHES) do
    if lost[name][1] == sum[name][1] then sum[name][2] = sum[name][2] - lost[name][2] end
  end
  linger(sum, lost, -lost.life[2], 0)
end

local function come_back(sum, agent, part)
  forget(sum, process, part)
  if part.lost then find_again(sum, part.lost) end
  part.lost, part.gone = nil, nil
  call('SADD', 'ag:of:' .. process, agent)
end

-- When it was lost nobody remembers: at the latest at the end of that hour.
local function count(sum, part, sign)
  fold(sum, part, sign)
  if part.lost then
    fold(sum, part.lost, sign)
    linger(sum, part.lost, sign * part.lost.life[2], part.lost.hour[1] + HOUR + LINGER)
  end
end

local function later(part, than)
  if part.life[2] ~= than.life[2] then return part.life[2] > than.life[2] end
  return (part.lost and part.lost.life[2] or 0) > (than.lost and than.lost.life[2] or 0)
end

-- What an old copy has of one who lived at the time, and who was not heard of since that is all there is.
local function outdated(name, part)
  local heard = call('ZSCORE', 'ag:procs', name)
  return part and not part.gone and not (heard and tonumber(heard) >= epoch[2])
end

-- After a loss: what the living remember of the gone counts again, the latest there is, unless those are back already.
local function recall(key, sum, gone)
  for _, one in ipairs(gone) do
    local name, part, at = one[1], one[2], nil
    for i, told in ipairs(sum.gone) do at = told[1] == name and i or at end
    local there = name ~= '' and call('HGET', key, 'p:' .. name)
    there = at and sum.gone[at][2] or there and unpacked(there)
    if name ~= process and (not there or (at or outdated(name, there)) and later(part, there)) then
      if there then
        count(sum, there, -1)
        if at then
          table.remove(sum.gone, at)
        else
          sum.leased, sum.slots = sum.leased - lease_of(there), sum.slots - there.slots
        end
      end
      count(sum, part, 1)
      table.insert(sum.gone, name == '' and 1 or #sum.gone + 1, one)
      if name ~= '' then call('HSET', key, 'p:' .. name, pack(part)) end
    end
  end
end

-- What the gone lost takes room also in windows later than the one it was booked in.
local function lingering(sum, stretch)
  local cost = 0
  for _, lost in ipairs(sum.lost) do
    if lost[stretch] and lost[stretch] ~= sum[stretch][1] then cost = cost + lost.cost end
  end
  return cost
end

local function let_go(sum)
  while sum.lost[1] and (sum.lost[1].till < seconds or sum.lost[1].cost <= 0) do table.remove(sum.lost, 1) end
end

-- Look after some agents of the one that is gone longest.
local function clear()
  local gone = call('ZRANGEBYSCORE', 'ag:procs', '-inf', '(' .. (now - TTL), 'LIMIT', 0, 1)[1]
  if not gone then return end
  for _, agent in ipairs(call('SPOP', 'ag:of:' .. gone, PORTION)) do
    local key, field = 'ag:a:' .. agent, 'p:' .. gone
    local got = call('HMGET', key, 'sum', field)
    local sum, part = got[1] and unpacked(got[1]), got[2] and unpacked(got[2])
    if sum and part and not part.gone then
      expire(sum, gone, part)
      call('HSET', key, 'sum', pack(sum), field, pack(part))
    end
  end
  if call('EXISTS', 'ag:of:' .. gone) == 0 then
    call('ZREM', 'ag:procs', gone)
    call('HDEL', 'ag:turns', gone)
  end
end
