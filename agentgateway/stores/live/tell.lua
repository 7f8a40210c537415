--[[
Keep the latest news of one kind about one agent, number it and pass it on; ARGV[1] = {process, run, turn, kind, agent,
at}, ARGV[2] the payload as all will read it, ARGV[3] its body. "failures" only pass by. What was said `at` some time
counts only where nothing is kept that was said then or later; without `at` what is told last counts. A `turn` of a former
run, or not above the one kept, came too late.

  ag:version  number of the latest news
  ag:kept     hash: "KIND AGENT" to {version, process, run, turn, payload, at}
  ag:changed  sorted set: "KIND AGENT" by version
  ag:news     channel: "VERSION PAYLOAD"
]]
local process, run, turn, kind, agent, at = unpack(cmsgpack.unpack(ARGV[1]))
local payload, body = ARGV[2], ARGV[3]
if kind == 'failures' then
  redis.call('PUBLISH', 'ag:news', '0 ' .. payload)
  return 0
end

local name = kind .. ' ' .. agent
local kept = redis.call('HGET', 'ag:kept', name)
if kept then
  local _, by, of, latest, _, said = unpack(cmsgpack.unpack(kept))
  if at and at <= (said or 0) or by == process and (of > run or of == run and latest >= turn) then return 0 end
end

local version = redis.call('INCR', 'ag:version')
redis.call('HSET', 'ag:kept', name, cmsgpack.pack({version, process, run, turn, payload, at}))
redis.call('ZADD', 'ag:changed', version, name)
if kind == 'caps' then
  if body == '' then redis.call('HDEL', 'ag:a:' .. agent, 'caps') else redis.call('HSET', 'ag:a:' .. agent, 'caps', body) end
end
redis.call('PUBLISH', 'ag:news', version .. ' ' .. payload)
return version
