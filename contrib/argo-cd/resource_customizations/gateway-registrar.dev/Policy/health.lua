-- What Argo CD shows of a Policy, and what its sync waves wait for.
-- Healthy is a Policy that is accepted; the message says in how many contracts it is live. How far it has got is not waited for: with rollout OnPublish it gets
-- there when somebody publishes its Clients.

local found = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    found[condition.type] = condition
  end
end
local accepted, stalled = found["Accepted"], found["Stalled"]

if accepted == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to look at this version of the Policy."}
end
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if accepted.status ~= "True" then
  return {status = "Progressing", message = accepted.message}
end
local programmed = found["Programmed"]
return {status = "Healthy", message = programmed ~= nil and programmed.message or accepted.message}
