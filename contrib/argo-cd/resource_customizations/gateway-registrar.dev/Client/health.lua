-- What Argo CD shows of a Client, and what its sync waves wait for.
-- A sync wave ends on Healthy or Degraded only. So every state that somebody chose is Healthy, with a message that says what it is: Created, UnpublishedChanges,
-- Retired, paused, and a gateway that is only observed. Argo CD itself says Progressing of an object that is being deleted.

local function conditions()
  local found = {}
  if obj.status ~= nil and obj.status.conditions ~= nil then
    for _, condition in ipairs(obj.status.conditions) do
      found[condition.type] = condition
    end
  end
  return found
end

local function actions()
  local found = {}
  if obj.status ~= nil and obj.status.actions ~= nil then
    for _, action in ipairs(obj.status.actions) do
      found[action.name] = action
    end
  end
  return found
end

local function verdict(status, message)
  return {status = status, message = message}
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return verdict("Progressing", "Waiting for the operator to look at this version of the Client.")
end

local found = conditions()
local ready, stalled, reconciling = found["Ready"], found["Stalled"], found["Reconciling"]
if ready == nil then
  return verdict("Progressing", "Waiting for the operator to say whether the Client is ready.")
end
if stalled ~= nil and stalled.status == "True" then
  return verdict("Degraded", stalled.message)
end
if obj.spec ~= nil and obj.spec.paused == true then
  return verdict("Healthy", "Paused: " .. ready.message)
end

-- The publish that the present annotation asks for was refused, and what it should have published still waits.
local annotations = obj.metadata.annotations or {}
local publish = actions()["reregister"]
if publish ~= nil and publish.outcome == "Failed" and obj.status.phase == "UnpublishedChanges"
  and publish.lastHandledToken == annotations["gateway-registrar.dev/reregister"] then
  return verdict("Degraded", "Publishing failed: " .. (publish.message or "see status.actions"))
end
for name, action in pairs(actions()) do
  if action.inProgressToken ~= nil then
    return verdict("Progressing", name .. " is under way.")
  end
end

if reconciling ~= nil and reconciling.status == "True" and ready.reason ~= "Observing" then
  return verdict("Progressing", ready.message)
end
local phase = obj.status.phase
if ready.status == "True" or phase == "Created" or phase == "Retired" or ready.reason == "Observing" then
  return verdict("Healthy", phase .. ": " .. ready.message)
end
return verdict("Progressing", ready.message)
