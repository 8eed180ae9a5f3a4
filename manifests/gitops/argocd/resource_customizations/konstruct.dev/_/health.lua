-- Reads what every kind of konstruct.dev reports, as kstatus does: Stalled, Reconciling and Ready for the newest
-- generation. A tenant that is suspended or archived on purpose, and what is in it, is Suspended.
local onPurpose = { TenantSuspended = true, TenantArchived = true }

local function health(status, message)
  return { status = status, message = message or "" }
end

local status = obj.status
if status == nil or status.conditions == nil then
  return health("Progressing", "Waiting for the operator")
end
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "Waiting for the operator to see the latest change")
end

local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end
local function is(type, value)
  return found[type] ~= nil and found[type].status == value
end

if is("Reconciling", "True") then
  return health("Progressing", found.Reconciling.message)
end
local ready = found.Ready
if ready ~= nil and onPurpose[ready.reason] and (ready.status == "True" or is("Stalled", "True")) then
  return health("Suspended", ready.message)
end
if is("Stalled", "True") then
  return health("Degraded", found.Stalled.message)
end
if is("Ready", "True") then
  return health("Healthy", ready.message)
end
return health("Progressing", ready ~= nil and ready.message or "Waiting for the operator")
