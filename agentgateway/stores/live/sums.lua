--[[
One process tells what it spent and what it holds of some agents, and is granted more where there is room.
The values are those of domain/lease.py, packed by msgpack: ARGV[1] = {process, run, turn, latest turn answered, known
epoch, epoch to begin, asks, whether more is to be told again}, the answer is a `Synced`. `run` is higher with each start of
the process; a `turn` of a former run, or not above one seen before, came too late. One that was answered and is not known
here means that this is an old copy of what there was.

  ag:a:AGENT    hash: "sum" (over all processes), "p:PROCESS" (what it told last), "caps" (an operator's)
  ag:procs      sorted set: processes by the time they were heard of
  ag:of:PROCESS set: agents it told of
  ag:turns      hash: the last run and turn of each process
  ag:epoch      {epoch, its begin, whether there was something before it, the server it began on, the end of its grace}
  ag:version    of the latest news

Sums of a stretch of time are {start, cost, calls, errors, input, output, end}; those of a life start at 0, and where
nobody has told the end yet there is none.
This script is made of server.lua, sums.lua, gone.lua, bucket.lua and sync.lua, in this order.
]]
local TTL, LINGER, EXACT = 10, 3600, 2 ^ 52
local STRETCHES = {'hour', 'day', 'life'}

local call, pack, unpacked = redis.call, cmsgpack.pack, cmsgpack.unpack
local process, run, turn, answered, known, fresh, asks, telling = unpack(unpacked(ARGV[1]))
local time = call('TIME')
local seconds, micros = tonumber(time[1]), tonumber(time[2])
local now = seconds + micros / 1000000
local epoch

local function nothing(start) return {start, 0, 0, 0, 0, 0} end

local function new_sum()
  return {
    hour = nothing(0), day = nothing(0), life = nothing(0), leased = 0, slots = 0, buckets = {}, lost = {}, gone = {},
  }
end

local function new_part()
  return {hour = nothing(0), day = nothing(0), life = nothing(0), ceiling = 0, slots = 0, buckets = {}, run = run}
end

local function lease_of(part) return math.max(0, part.ceiling - part.life[2]) end

-- Put the sums of a stretch in place of those told before; one that has begun later begins the whole anew.
local function tell(sum, part, sums)
  if sums[1] > sum[1] then
    sum[1] = sums[1]
    for i = 2, 6 do sum[i] = 0 end
  end
  if sums[1] == sum[1] then
    sum[7] = sums[7]
    for i = 2, 6 do sum[i] = sum[i] + sums[i] - (part[1] == sum[1] and part[i] or 0) end
  end
end

-- Add (1) or take away (-1) all sums of `part`, as far as they are of the same stretches, or when added of later ones.
local function fold(into, part, sign)
  for _, name in ipairs(STRETCHES) do
    local from = part[name]
    if sign > 0 and from[1] > into[name][1] then into[name] = nothing(from[1]) end
    local to = into[name]
    if from[1] == to[1] then
      for i = 2, 6 do to[i] = math.max(0, to[i] + sign * from[i]) end
    end
  end
end

-- What all others did, without the start.
local function others(sum, part)
  local rest = {}
  for i = 2, 6 do rest[i - 1] = sum[i] - (part[1] == sum[1] and part[i] or 0) end
  return rest
end
