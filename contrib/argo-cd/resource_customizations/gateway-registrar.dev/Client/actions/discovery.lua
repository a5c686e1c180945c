-- Which actions Argo CD offers on a Client; one that the operator would refuse, or that has nothing to do, is shown but can't be chosen.

local spec = obj.spec or {}
local status = obj.status or {}
local key = spec.apiKey or {}
local known = status.phase ~= nil
local retired = status.phase == "Retired"

return {
  ["reregister"] = {
    ["displayName"] = "Publish (reregister)",
    ["iconClass"] = "fa fa-fw fa-upload",
    ["disabled"] = not known or spec.paused == true or spec.state == "Retired",
  },
  ["unregister"] = {
    ["displayName"] = "Unregister (the key stops working)",
    ["iconClass"] = "fa fa-fw fa-ban",
    ["disabled"] = not known or retired,
  },
  ["rotate-key"] = {
    ["displayName"] = "Rotate the key",
    ["iconClass"] = "fa fa-fw fa-key",
    ["disabled"] = not known or spec.paused == true or key.source == "Existing",
  },
}
