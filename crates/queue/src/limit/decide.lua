-- May one more message come? All counters together, on this server's clock: either all of them count it or none does.
--
-- KEYS[1]            since when the one who asks is being refused, and where it was first
-- KEYS[2]            there while this very message was let in: platforms deliver one twice
-- KEYS[3..]          counters: the time at which each has no message left to its account, in microseconds
-- ARGV[1]            microseconds in which a counter's whole allowance comes back
-- ARGV[2]            where it asks now
-- ARGV[3..]          microseconds for one message of each counter
-- Answers which counter refuses (0: none), milliseconds until it would not, and what is at KEYS[1].
local call, ceil = redis.call, math.ceil
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local period = tonumber(ARGV[1])
local known = call('MGET', unpack(KEYS))
if known[2] then return { 0, 0, '' } end
local after, refusing, worst = {}, 0, 0
for i = 3, #KEYS do
    local at = tonumber(known[i]) or 0
    if at < now then at = now end
    at = at + ARGV[i]
    after[i] = at
    local wait = at - now - period
    if wait > worst then refusing, worst = i - 2, wait end
end
if refusing > 0 then
    local wait = ceil(worst / 1000)
    local since = known[1]
    if not since then
        since = string.format('%.0f ', now) .. ARGV[2]
        call('SET', KEYS[1], since, 'PX', math.max(wait, period / 1000))
    end
    return { refusing, wait, since }
end
for i = 3, #KEYS do
    call('SET', KEYS[i], after[i], 'PX', ceil((after[i] - now) / 1000))
end
call('SET', KEYS[2], '', 'PX', period / 500)
return { 0, 0, '' }
