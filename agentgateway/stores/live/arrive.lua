--[[
Said first on every connection: another server than the one that the epoch began on may have an old copy of what there
was, since a replica was promoted, or a file read. Nobody can tell how old, so that it is as a loss; ARGV[1] is the epoch
that begins then. See sums.lua for the keys.
]]
local kept, here = redis.call('GET', 'ag:epoch'), server()
if not kept or here == '' then return 0 end
local epoch = cmsgpack.unpack(kept)
if epoch[4] == here then return 0 end
if (epoch[4] or '') ~= '' then
  local time = redis.call('TIME')
  epoch = {ARGV[1], tonumber(time[1]) + tonumber(time[2]) / 1000000, true, here, 0}
end
epoch[4] = here
redis.call('SET', 'ag:epoch', cmsgpack.pack(epoch))
return 1
