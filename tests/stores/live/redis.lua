-- As much of Redis as the scripts use, in plain tables. Packed values are copies; whole numbers must be exact.
local data, listeners = {}, {}
local clock
local run = 1

local function copy(value, checked)
  if type(value) ~= 'table' then
    if checked and type(value) == 'number' then
      assert(value == math.floor(value) and math.abs(value) <= 2 ^ 53, 'not exact: ' .. value)
    end
    return value
  end
  local new = {}
  for key, inner in pairs(value) do new[key] = copy(inner, checked) end
  return new
end

local function at(key)
  if data[key] == nil then data[key] = {} end
  return data[key]
end

local function drop_empty(key) if next(data[key] or {}) == nil then data[key] = nil end end

local commands = {}
function commands.TIME()
  local now = clock()
  local seconds = math.floor(now)
  return {tostring(seconds), string.format('%d', math.floor((now - seconds) * 1000000 + 0.5))}
end
function commands.GET(key) return data[key] or false end
function commands.SET(key, value) data[key] = value end
function commands.INCR(key)
  data[key] = (data[key] or 0) + 1
  return data[key]
end
function commands.EXISTS(key) return data[key] ~= nil and 1 or 0 end
function commands.HGET(key, field) return (data[key] or {})[field] or false end
function commands.HEXISTS(key, field) return (data[key] or {})[field] and 1 or 0 end
function commands.HMGET(key, ...)
  local found = {}
  for i, field in ipairs({...}) do found[i] = (data[key] or {})[field] or false end
  return found
end
function commands.HSET(key, ...)
  local hash, pairs_ = at(key), {...}
  for i = 1, #pairs_, 2 do
    copy(pairs_[i + 1], true)
    hash[pairs_[i]] = pairs_[i + 1]
  end
end
function commands.HDEL(key, field)
  at(key)[field] = nil
  drop_empty(key)
end
function commands.SADD(key, member) at(key)[member] = true end
function commands.SPOP(key, count)
  local taken = {}
  for member in pairs(data[key] or {}) do
    if #taken == count then break end
    taken[#taken + 1] = member
  end
  for _, member in ipairs(taken) do data[key][member] = nil end
  drop_empty(key)
  return taken
end
function commands.ZADD(key, score, member) at(key)[member] = score end
function commands.ZREM(key, member)
  at(key)[member] = nil
  drop_empty(key)
end
function commands.ZSCORE(key, member)
  local score = (data[key] or {})[member]
  return score and string.format('%.17g', score) or false
end
function commands.INFO(section)
  assert(section == 'server')
  return '# Server\r\nrun_id:' .. string.format('%040x', run) .. '\r\n'
end
function commands.ZCARD(key)
  local count = 0
  for _ in pairs(data[key] or {}) do count = count + 1 end
  return count
end
local function bound(text)
  local open = string.sub(text, 1, 1) == '('
  return tonumber(open and string.sub(text, 2) or text) or (text == '-inf' and -math.huge or math.huge), open
end
function commands.ZRANGEBYSCORE(key, low, high, _, _, count)
  local least, above = bound(low)
  local most, below = bound(high)
  local found = {}
  for member, score in pairs(data[key] or {}) do
    if score >= least and score <= most and not (above and score == least) and not (below and score == most) then
      found[#found + 1] = member
    end
  end
  table.sort(found, function(one, other) return data[key][one] < data[key][other] end)
  for i = #found, tonumber(count) + 1, -1 do found[i] = nil end
  return found
end
function commands.PUBLISH(channel, message) for _, listen in ipairs(listeners) do listen(channel, message) end end

redis = {call = function(name, ...) return commands[name](...) end}
redis.pcall = redis.call
cmsgpack = {pack = function(value) return copy(value) end}

return {
  start = function(now, decode)
    clock = now
    cmsgpack.unpack = function(value) return type(value) == 'table' and copy(value) or decode(value) end
  end,
  run = function(script, ...)
    ARGV = {...}
    return script()
  end,
  copy = function() return copy(data) end,
  restore = function(copied) data = copy(copied) end,
  flush = function() data = {} end,
  move = function() run = run + 1 end,
  begin = function() data['ag:epoch'] = {'begun', 0, false} end,
  listen = function(listener) listeners[#listeners + 1] = listener end,
  data = function() return data end,
}
