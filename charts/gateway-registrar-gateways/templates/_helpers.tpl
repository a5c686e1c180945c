{{- define "gateway-registrar-gateways.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: gateway-registrar
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "gateway-registrar-gateways.operatorNamespace" -}}
{{- default .Release.Namespace .Values.operatorNamespace }}
{{- end }}

{{/*
What can't work and no schema can say. All mistakes are told at once, each with the key and the next step.
*/}}
{{- define "gateway-registrar-gateways.checks" -}}
{{- $problems := list }}
{{- $defaults := list }}
{{- $secrets := dict }}
{{- range $name, $gateway := .Values.gateways }}
  {{- $spec := $gateway.spec }}
  {{- if $spec.default }}{{- $defaults = append $defaults $name }}{{- end }}
  {{- if not $spec.apiman }}
    {{- $problems = append $problems (printf "gateways.%s.spec.apiman is missing, and type is Apiman. Say how the gateway is reached" $name) }}
  {{- else if not $spec.apiman.allowPlainHttp }}
    {{- range $field := list "endpoint" "publicEndpoint" }}
      {{- $url := get $spec.apiman $field }}
      {{- if and $url (not (hasPrefix "https://" $url)) }}
        {{- $problems = append $problems (printf "gateways.%s.spec.apiman.%s is no https:// address. Use https, or set allowPlainHttp: true where keys may cross the network in the clear" $name $field) }}
      {{- end }}
    {{- end }}
  {{- end }}
  {{- if and $gateway.credentials $spec.apiman }}
    {{- $secret := $spec.apiman.credentialsSecretRef.name }}
    {{- if hasKey $secrets $secret }}
      {{- $problems = append $problems (printf "gateways.%s.credentials and gateways.%s.credentials would make the same Secret %s. Give them names of their own in credentialsSecretRef, or credentials to one of them only" (get $secrets $secret) $name $secret) }}
    {{- end }}
    {{- $_ := set $secrets $secret $name }}
  {{- end }}
  {{- range $organization := $spec.organizations }}
    {{- if not (or (hasKey $organization "namespaces") (hasKey $organization "namespaceSelector")) }}
      {{- $problems = append $problems (printf "gateways.%s.spec.organizations: %s has neither namespaces nor namespaceSelector. Say who owns it; an empty list of namespaces means nobody" $name $organization.name) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- range $key, $_ := .Values.commonLabels }}
  {{- if or (hasPrefix "app.kubernetes.io/" $key) (hasPrefix "gateway-registrar.dev/" $key) (eq "helm.sh/chart" $key) }}
    {{- $problems = append $problems (printf "commonLabels has %s, which is the chart's to set. Leave it out" $key) }}
  {{- end }}
{{- end }}
{{- if gt (len $defaults) 1 }}
  {{- $problems = append $problems (printf "gateways: more than one is spec.default: %s. Leave it to one" (join ", " $defaults)) }}
{{- end }}
{{- range $name, $grant := .Values.grants }}
  {{- if not (or (hasKey $grant.spec.from "namespaces") (hasKey $grant.spec.from "namespaceSelector")) }}
    {{- $problems = append $problems (printf "grants.%s.spec.from has neither namespaces nor namespaceSelector. Say who may make Contracts" $name) }}
  {{- end }}
{{- end }}
{{- if $problems }}
  {{- fail (printf "\n\nThe values of chart %s can't work:\n- %s." .Chart.Name (join ".\n- " $problems)) }}
{{- end }}
{{- end }}
