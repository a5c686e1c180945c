{{/* The name of the chart, as labels have it. */}}
{{- define "gateway-registrar.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of everything that this release makes: the release's, with the chart's behind it unless it is in there. */}}
{{- define "gateway-registrar.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else if contains (include "gateway-registrar.name" .) .Release.Name }}
{{- .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "gateway-registrar.name" .) | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "gateway-registrar.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "gateway-registrar.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: gateway-registrar
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The labels of every object and some more, of which none may be named twice: (list $ $more). */}}
{{- define "gateway-registrar.labelsAnd" -}}
{{- $own := include "gateway-registrar.labels" (index . 0) | fromYaml }}
{{- merge $own (default dict (index . 1)) | toYaml }}
{{- end }}

{{/* What never changes in the life of a release, because a Deployment's selector can't. */}}
{{- define "gateway-registrar.selectorLabels" -}}
app.kubernetes.io/name: {{ include "gateway-registrar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateway-registrar.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "gateway-registrar.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The image: a digest wins over a tag. */}}
{{- define "gateway-registrar.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}
