-- The benchmark's call, as another agent: so many a second (0: as many as go), until a file says that it is enough.
-- Then every connection finishes its call and makes no other, so that none is cut, and that is told.
--     wrk -s wrk.lua ... -- CALL.LUA AGENT MODEL RATE CONNECTIONS FILE
local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long seconds, nanos; } spec;
  int clock_gettime(int clock, spec *now);
]])
local MONOTONIC, EVER, BEHIND = 1, 1e9, 1
local spec = ffi.new("spec")
local threads, rate, connections, enough = {}, 0, 0, ""
local due, looked, parked = 0, 0, 0
began, ended = 0, 0

local function now()
  ffi.C.clock_gettime(MONOTONIC, spec)
  return tonumber(spec.seconds) + tonumber(spec.nanos) / 1e9
end

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  dofile(args[1])
  wrk.headers["x-agent-id"] = args[2]
  wrk.body = wrk.body:gsub('"model":"[^"]*"', '"model":"' .. args[3] .. '"')
  rate, connections, enough = tonumber(args[4]), tonumber(args[5]), args[6]
end

-- Whether the file is there: looked for every tenth of a second.
local function over(time)
  if ended == 0 and time - looked > 0.1 then
    looked = time
    local file = io.open(enough)
    if file then
      file:close()
      ended = time
    end
  end
  return ended > 0
end

-- Milliseconds until the next call of a connection that has none under way.
function delay()
  local time = now()
  if began == 0 then
    began, due = time, time
  end
  if over(time) then
    parked = parked + 1
    if parked == connections then
      io.write("parked\n")
      io.flush()
    end
    return EVER
  end
  if rate == 0 then
    return 0
  end
  due = math.max(due, time - BEHIND) + 1 / rate
  return math.max(0, due - time) * 1000
end

function done(summary)
  local wrong, thread = summary.errors, threads[1]
  local seconds = thread:get("ended") - thread:get("began")
  local errors = wrong.connect + wrong.read + wrong.write + wrong.status
  io.write(string.format('{"answers": %d, "errors": %d, "seconds": %f}\n', summary.requests, errors, seconds))
end
