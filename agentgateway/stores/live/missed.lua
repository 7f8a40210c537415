--[[
The news later than number ARGV[1], oldest first, ARGV[2] at most, as tell.lua published them: one text, in which the
length of each and a colon stand before it.
]]
local news = {}
local names = redis.call('ZRANGEBYSCORE', 'ag:changed', '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
for i, name in ipairs(names) do
  local kept = cmsgpack.unpack(redis.call('HGET', 'ag:kept', name))
  local message = string.format('%d', kept[1]) .. ' ' .. kept[5]
  news[i] = #message .. ':' .. message
end
return table.concat(news)
