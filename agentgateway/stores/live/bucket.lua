--[[
Rates, as in domain/bucket.py. The level counts parts of a token: a token is `every` seconds in units of time, and each
unit brings `count` parts, so nothing is rounded. The unit is as short as numbers stay exact. A level below zero is a
debt, of tokens taken while nobody could be asked; it is never more than one burst.
]]
local function ticks(unit) return seconds * unit + math.floor(micros * unit / 1000000) end

local function refill(bucket)
  local at = ticks(bucket.unit)
  local burst = bucket.count * bucket.every * bucket.unit
  if at > bucket.at then bucket.level = math.min(burst, bucket.level + (at - bucket.at) * bucket.count) end
  bucket.at = at
  return burst
end

local function fresh_bucket(count, every, fullness)
  local unit = 1000000
  while unit > 1 and count * every * unit > EXACT do unit = unit / 1000 end
  local burst = count * every * unit
  return {count = count, every = every, unit = unit, at = ticks(unit), level = math.floor(fullness * burst)}, burst
end

-- Another rate leaves a bucket as full as it was, in proportion.
local function bucket_of(sum, name, count, every, fullness)
  local bucket, burst = sum.buckets[name], nil
  if bucket then
    burst = refill(bucket)
    if bucket.count == count and bucket.every == every then return bucket, burst end
    fullness = bucket.level / burst
  end
  bucket, burst = fresh_bucket(count, every, fullness)
  sum.buckets[name] = bucket
  return bucket, burst
end

local function pour(sum, part, ask, fullness)
  local name, count, every, upto, want = unpack(ask)
  local bucket, burst = bucket_of(sum, name, count, every, fullness)
  local token = every * bucket.unit
  local level = bucket.level + ((part.buckets[name] or upto) - upto) * token
  level = math.max(-burst, math.min(burst, level))
  local got = math.max(0, math.min(want - upto, math.floor(level / token)))
  bucket.level = level - got * token
  part.buckets[name] = upto + got
  local left = math.max(0, math.floor(bucket.level / token))
  return {name, upto + got, math.max(0, token - bucket.level) / count / bucket.unit, left}
end
