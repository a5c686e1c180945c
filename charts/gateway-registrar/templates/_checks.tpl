{{/*
What can't work and no schema can say. All mistakes are told at once, each with the key and the next step.
*/}}
{{- define "gateway-registrar.checks" -}}
{{- $problems := list }}
{{- $s := .Values.settings }}
{{- if and (gt (int .Values.replicas) 1) (not $s.lease) }}
  {{- $problems = append $problems (printf "replicas is %d and settings.lease is false: several operators would write to the same gateways. Set settings.lease to true, or replicas to 1" (int .Values.replicas)) }}
{{- end }}
{{- if not (and (lt (float64 $s.leaseRetrySeconds) (float64 $s.leaseRenewSeconds)) (lt (float64 $s.leaseRenewSeconds) (float64 $s.leaseDurationSeconds))) }}
  {{- $problems = append $problems "settings.leaseRetrySeconds < settings.leaseRenewSeconds < settings.leaseDurationSeconds must hold. Use the defaults 2, 10 and 15, or others in that order" }}
{{- end }}
{{- if ge (float64 $s.gatewayTimeoutSeconds) (subf (float64 $s.leaseDurationSeconds) (float64 $s.leaseRenewSeconds)) }}
  {{- $problems = append $problems "settings.gatewayTimeoutSeconds must be less than settings.leaseDurationSeconds - settings.leaseRenewSeconds, or a call could outlive the Lease. Lower it, or raise leaseDurationSeconds" }}
{{- end }}
{{- if gt (float64 $s.settleSeconds) (float64 $s.settleMaxSeconds) }}
  {{- $problems = append $problems "settings.settleSeconds must not be more than settings.settleMaxSeconds. Raise settleMaxSeconds too" }}
{{- end }}
{{- if gt (float64 $s.backoffBaseSeconds) (float64 $s.backoffMaxSeconds) }}
  {{- $problems = append $problems "settings.backoffBaseSeconds must not be more than settings.backoffMaxSeconds. Raise backoffMaxSeconds too" }}
{{- end }}
{{- if or (hasPrefix "127." $s.probesHost) (has $s.probesHost (list "localhost" "::1")) }}
  {{- $problems = append $problems (printf "settings.probesHost is %s, where no kubelet and no Prometheus can call. Use 0.0.0.0, or :: in a cluster with IPv6 alone" $s.probesHost) }}
{{- end }}
{{- with $s.auditLog }}
  {{- $path := . }}
  {{- $writable := hasPrefix "/tmp/" $path }}
  {{- range $.Values.extraVolumeMounts }}
    {{- if and (not .readOnly) (hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $path) }}{{- $writable = true }}{{- end }}
  {{- end }}
  {{- if not $writable }}
    {{- $problems = append $problems (printf "settings.auditLog is %s, and the container's root is read-only. Mount a volume there with extraVolumes and extraVolumeMounts, or use a file below /tmp" $path) }}
  {{- end }}
{{- end }}
{{- $volumes := list }}
{{- range .Values.extraVolumes }}{{- $volumes = append $volumes .name }}{{- end }}
{{- range .Values.extraVolumeMounts }}
  {{- if not (has .name $volumes) }}
    {{- $problems = append $problems (printf "extraVolumeMounts names the volume %s, which extraVolumes does not have. Add it there" .name) }}
  {{- end }}
{{- end }}
{{- range .Values.extraVolumeMounts }}
  {{- if eq (trimSuffix "/" .mountPath) "/tmp" }}
    {{- $problems = append $problems "extraVolumeMounts has /tmp, where the chart mounts an emptyDir already. Choose another mountPath, or set tmpSizeLimit" }}
  {{- end }}
{{- end }}
{{- if has "tmp" $volumes }}
  {{- $problems = append $problems "extraVolumes has a volume tmp, as the chart has. Give it another name" }}
{{- end }}
{{- range .Values.extraEnv }}
  {{- if or (hasPrefix "REGISTRAR_" .name) (eq .name "POD_NAMESPACE") }}
    {{- $problems = append $problems (printf "extraEnv sets %s, which is the chart's to set. Use settings, or watchNamespaces" .name) }}
  {{- end }}
{{- end }}
{{- range $where, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "metrics.serviceMonitor.labels" .Values.metrics.serviceMonitor.labels "metrics.prometheusRule.labels" .Values.metrics.prometheusRule.labels "metrics.dashboard.labels" .Values.metrics.dashboard.labels }}
  {{- range $key, $_ := $labels }}
    {{- if or (hasPrefix "app.kubernetes.io/" $key) (eq "helm.sh/chart" $key) }}
      {{- $problems = append $problems (printf "%s has %s, which is the chart's to set. Leave it out, or use nameOverride" $where $key) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
  {{- $problems = append $problems "serviceAccount.create is false and serviceAccount.name is empty: the operator would get the rights of the namespace's default account, or give it its own. Name the ServiceAccount to use" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) }}
  {{- $problems = append $problems "metrics.serviceMonitor.enabled needs the Service that it scrapes. Set metrics.service.enabled to true" }}
{{- end }}
{{- if and .Values.networkPolicy.egress.enabled (not .Values.networkPolicy.enabled) }}
  {{- $problems = append $problems "networkPolicy.egress.enabled has no effect without networkPolicy.enabled. Set that to true as well" }}
{{- end }}
{{- if and .Values.networkPolicy.egress.enabled (not .Values.networkPolicy.egress.gateways) }}
  {{- $problems = append $problems "networkPolicy.egress.enabled with an empty networkPolicy.egress.gateways cuts the operator off from every gateway. List egress rules for the gateways' configuration APIs" }}
{{- end }}
{{- if and .Values.actionPolicy.enabled (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) }}
  {{- $problems = append $problems (printf "actionPolicy.enabled needs Kubernetes 1.30 or newer, and this is %s. Set it to false" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if and (has "Deny" .Values.actionPolicy.validationActions) (has "Warn" .Values.actionPolicy.validationActions) }}
  {{- $problems = append $problems "actionPolicy.validationActions has Deny and Warn, which Kubernetes refuses together. Keep one of them" }}
{{- end }}
{{- if $problems }}
  {{- fail (printf "\n\nThe values of chart %s can't work:\n- %s." .Chart.Name (join ".\n- " $problems)) }}
{{- end }}
{{- end }}
