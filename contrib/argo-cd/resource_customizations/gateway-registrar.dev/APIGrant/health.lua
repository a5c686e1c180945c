-- What Argo CD shows of an APIGrant, and what its sync waves wait for: that it has an effect, not that somebody uses it.

local ready, stalled
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Ready" then
      ready = condition
    elseif condition.type == "Stalled" then
      stalled = condition
    end
  end
end

if ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to look at this version of the APIGrant."}
end
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if ready.status == "True" then
  return {status = "Healthy", message = ready.message .. " Contracts that use it: " .. tostring(obj.status.consumers or 0) .. "."}
end
return {status = "Progressing", message = ready.message}
