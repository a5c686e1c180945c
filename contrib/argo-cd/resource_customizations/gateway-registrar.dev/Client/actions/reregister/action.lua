-- Asks for reregister with a token that was never used: the time, to the second. The operator carries out a token once and never edits the annotation.

local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["gateway-registrar.dev/reregister"] = "argo-cd-" .. os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
