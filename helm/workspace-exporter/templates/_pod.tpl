{{- define "workspace-exporter.args" -}}
{{- if .Values.demo.enabled }}
- demo
{{- else }}
- run
- --config.file=/etc/workspace-exporter/config/config.yml
{{- if gt (int .Values.shards) 1 }}
- --shard=$(POD_NAME)/{{ int .Values.shards }}
{{- end }}
{{- end }}
- --web.listen-address=:{{ .Values.containerPort }}
- --web.telemetry-path={{ .Values.web.telemetryPath }}
{{- if .Values.webConfig }}
- --web.config.file=/etc/workspace-exporter/web/web.yml
{{- end }}
{{- if .Values.web.enableLifecycle }}
- --web.enable-lifecycle
{{- end }}
- --log.level={{ .Values.log.level }}
- --log.format={{ .Values.log.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.env" -}}
{{- if and (gt (int .Values.shards) 1) (not .Values.demo.enabled) }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
The files that the command reads; the helm test mounts the same.
*/}}
{{- define "workspace-exporter.volumeMounts" -}}
{{- if not .Values.demo.enabled }}
- name: config
  mountPath: /etc/workspace-exporter/config
  readOnly: true
{{- if include "workspace-exporter.secretName" . }}
- name: secrets
  mountPath: /etc/workspace-exporter/secrets
  readOnly: true
{{- end }}
{{- end }}
{{- if .Values.webConfig }}
- name: web
  mountPath: /etc/workspace-exporter/web
  readOnly: true
{{- end }}
{{- if .Values.tlsSecret }}
- name: tls
  mountPath: /etc/workspace-exporter/tls
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.volumes" -}}
{{- $name := include "workspace-exporter.fullname" . }}
{{- if not .Values.demo.enabled }}
- name: config
  configMap:
    name: {{ $name }}
{{- with include "workspace-exporter.secretName" . }}
- name: secrets
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- if .Values.webConfig }}
- name: web
  secret:
    secretName: {{ $name }}-web
    defaultMode: 0440
{{- end }}
{{- with .Values.tlsSecret }}
- name: tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Credentials and certificates are taken up while running, and so need no checksum; the configuration does:
a new pod proves it before the old one goes.
*/}}
{{- define "workspace-exporter.podAnnotations" -}}
{{- if not .Values.demo.enabled }}
checksum/config: {{ toYaml .Values.config | sha256sum }}
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.topologySpread" -}}
{{- $selector := dict "matchLabels" (include "workspace-exporter.selectorLabels" . | fromYaml) }}
{{- $constraints := list }}
{{- range .Values.topologySpreadConstraints }}
{{- $constraints = append $constraints (hasKey . "labelSelector" | ternary . (set (deepCopy .) "labelSelector" $selector)) }}
{{- end }}
{{- toYaml $constraints }}
{{- end }}

{{/*
What every pod of the release has: a dict of root.
*/}}
{{- define "workspace-exporter.podBasics" -}}
serviceAccountName: {{ include "workspace-exporter.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "workspace-exporter.podSpec" -}}
{{ include "workspace-exporter.podBasics" . }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- include "workspace-exporter.topologySpread" . | nindent 2 }}
{{- end }}
containers:
  - name: workspace-exporter
    image: {{ include "workspace-exporter.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
      {{- include "workspace-exporter.args" . | trim | nindent 6 }}
    {{- with include "workspace-exporter.env" . | trim }}
    env:
      {{- . | nindent 6 }}
    {{- end }}
    {{- with .Values.envFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - name: metrics
        containerPort: {{ .Values.containerPort }}
        protocol: TCP
    livenessProbe:
      {{- include "workspace-exporter.probe" (dict "root" . "path" "/-/healthy" "values" .Values.livenessProbe) | nindent 6 }}
    readinessProbe:
      {{- include "workspace-exporter.probe" (dict "root" . "path" "/-/ready" "values" .Values.readinessProbe) | nindent 6 }}
    {{- with .Values.startupProbe }}
    startupProbe:
      {{- include "workspace-exporter.probe" (dict "root" $ "path" "/-/healthy" "values" .) | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    {{- with include "workspace-exporter.volumeMounts" . | trim }}
    volumeMounts:
      {{- . | nindent 6 }}
    {{- end }}
{{- with include "workspace-exporter.volumes" . | trim }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
The pod template of a Deployment or StatefulSet: a dict of root and labels.
*/}}
{{- define "workspace-exporter.podTemplate" -}}
metadata:
  labels:
    {{- mergeOverwrite (dict) .root.Values.commonLabels .root.Values.podLabels (.labels | default dict) (include "workspace-exporter.selectorLabels" .root | fromYaml) | toYaml | nindent 4 }}
  {{- with include "workspace-exporter.podAnnotations" .root | trim }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  {{- include "workspace-exporter.podSpec" .root | nindent 2 }}
{{- end }}
