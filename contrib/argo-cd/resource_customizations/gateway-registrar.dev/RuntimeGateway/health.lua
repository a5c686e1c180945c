-- What Argo CD shows of a RuntimeGateway, and what its sync waves wait for.
-- Progressing is what the operator is still trying (to reach the gateway, to heal it) or waits for (its credentials). Not ready with nothing under way is Degraded:
-- many APIs are gone, or there is drift that is only reported; a person has to look.

local found = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    found[condition.type] = condition
  end
end
local ready, stalled, reconciling = found["Ready"], found["Stalled"], found["Reconciling"]

if ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to look at this version of the RuntimeGateway."}
end
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if reconciling ~= nil and reconciling.status == "True" then
  return {status = "Progressing", message = reconciling.message}
end
if ready.status == "True" then
  return {status = "Healthy", message = ready.message}
end
return {status = "Degraded", message = ready.message}
