{{- define "workspace-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 45 | trimSuffix "-" }}
{{- end }}

{{/*
45 characters: what is added to it (-replica-9, a pod's ordinal, a revision's hash) still fits into a label.
*/}}
{{- define "workspace-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- else }}
{{- $name := include "workspace-exporter.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 45 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "workspace-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "workspace-exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "workspace-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/*
The metadata of an object: a dict of root, and optionally name, namespace, labels, annotations.
What the chart selects by wins over labels from the values.
*/}}
{{- define "workspace-exporter.metadata" -}}
name: {{ .name | default (include "workspace-exporter.fullname" .root) }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- mergeOverwrite (dict) .root.Values.commonLabels (.labels | default dict) (include "workspace-exporter.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "workspace-exporter.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.secretName" -}}
{{- if and .Values.existingSecret .Values.secrets }}
{{- fail "existingSecret and secrets are both set: keep one of the two" }}
{{- end }}
{{- if .Values.secrets }}
{{- include "workspace-exporter.fullname" . }}
{{- else }}
{{- .Values.existingSecret }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.scheme" -}}
{{- if .Values.webConfig.tls_server_config }}https{{ else }}http{{ end }}
{{- end }}

{{/*
"true" where a client without a certificate is refused: then neither the kubelet nor the helm test can ask.
*/}}
{{- define "workspace-exporter.clientCertificates" -}}
{{- with .Values.webConfig.tls_server_config }}
{{- if contains "Require" (.client_auth_type | default "" | toString) }}true{{ end }}
{{- end }}
{{- end }}

{{/*
A probe: a dict of root, path, and the values that are merged over what is derived.
*/}}
{{- define "workspace-exporter.probe" -}}
{{- $handler := dict "httpGet" (dict "path" .path "port" "metrics" "scheme" (include "workspace-exporter.scheme" .root | upper)) }}
{{- if include "workspace-exporter.clientCertificates" .root }}
{{- $handler = dict "tcpSocket" (dict "port" "metrics") }}
{{- end }}
{{- range list "httpGet" "tcpSocket" "exec" "grpc" }}
{{- if hasKey $.values . }}
{{- $handler = dict }}
{{- end }}
{{- end }}
{{- toYaml (merge (deepCopy .values) $handler) }}
{{- end }}

{{/*
The ports (a JSON list) that the configured endpoints and proxies need beside 443.
*/}}
{{- define "workspace-exporter.upstreamPorts" -}}
{{- $ports := list 443 }}
{{- range .Values.config.projects }}
{{- range $url := list .endpoint .iam_endpoint .proxy_url }}
{{- $port := "" }}
{{- if $url }}
{{- $port = regexFind ":[0-9]+(/|$)" (toString $url) | trimPrefix ":" | trimSuffix "/" }}
{{- if and (not $port) (hasPrefix "http://" (toString $url)) }}{{ $port = "80" }}{{ end }}
{{- end }}
{{- if $port }}{{ $ports = append $ports (int $port) }}{{ end }}
{{- end }}
{{- end }}
{{- uniq $ports | toJson }}
{{- end }}

{{/*
The metadata services in use (a JSON list of {host, port}); only an IPv4 address can be written into a policy.
*/}}
{{- define "workspace-exporter.metadataServices" -}}
{{- $services := list }}
{{- range .Values.config.projects }}
{{- if and (kindIs "map" .auth) (hasKey .auth "metadata") }}
{{- $endpoint := "http://169.254.169.254" }}
{{- with .auth.metadata }}{{ $endpoint = .endpoint | default $endpoint }}{{ end }}
{{- $host := regexFind "[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+" $endpoint }}
{{- if $host }}
{{- $port := regexFind ":[0-9]+(/|$)" $endpoint | trimPrefix ":" | trimSuffix "/" | default "80" }}
{{- $services = append $services (dict "host" $host "port" (int $port)) }}
{{- end }}
{{- end }}
{{- end }}
{{- uniq $services | toJson }}
{{- end }}

{{/*
Not the selector's labels: the pod of the helm test must not become an endpoint of the Service.
*/}}
{{- define "workspace-exporter.testLabels" -}}
app.kubernetes.io/name: {{ include "workspace-exporter.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
