-- An Application is as healthy as Argo CD says in its status.
local health = obj.status ~= nil and obj.status.health or nil
if health == nil or health.status == nil then
  return { status = "Progressing", message = "Waiting for the first comparison" }
end
return { status = health.status, message = health.message or "" }
