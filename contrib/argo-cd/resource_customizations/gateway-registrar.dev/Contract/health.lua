-- What Argo CD shows of a Contract, and what its sync waves wait for.
-- A Contract that waits for a person (to publish its Client, to bring the Client back, to let the gateway be written to) is Healthy, with a message that says
-- so: a sync wave would wait for ever. Progressing is only what comes to an end by itself.

local waits_for_a_person = {UnpublishedChanges = true, ClientRetired = true, Observing = true}

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
  return {status = "Progressing", message = "Waiting for the operator to look at this version of the Contract."}
end
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if ready.status == "True" or waits_for_a_person[ready.reason] then
  return {status = "Healthy", message = ready.message}
end
return {status = "Progressing", message = ready.message}
