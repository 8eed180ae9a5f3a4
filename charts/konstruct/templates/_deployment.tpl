{{/*
The Deployment of a role. Takes root, role, values, args, ports (name → number), files, and optionally env, envFrom,
token (whether the pod talks to the API server), settings (text whose change restarts the pods) and command (the role's
name on the command line, where it is another one).
*/}}
{{- define "konstruct.deployment" -}}
{{- $autoscaled := dig "autoscaling" "enabled" false .values -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "konstruct.metadata" (dict "root" .root "role" .role) | nindent 2 }}
spec:
  {{- if not $autoscaled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels: {{- include "konstruct.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- toYaml (merge (include "konstruct.podLabels" . | fromYaml) .values.podLabels) | nindent 8 }}
      {{- $annotations := .values.podAnnotations }}
      {{- with .settings }}
      {{- $annotations = merge (dict "konstruct.dev/settings-hash" (sha256sum . | trunc 16)) $annotations }}
      {{- end }}
      {{- with $annotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "konstruct.fullname" .root }}-{{ .role }}
      automountServiceAccountToken: {{ .token | default false }}
      enableServiceLinks: false
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- include "konstruct.podSecurity" 65532 | nindent 6 }}
      {{- with include "konstruct.scheduling" . }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      {{- with include "konstruct.spread" . }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      containers:
      - name: {{ .role }}
        image: {{ include "konstruct.image" .root }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        args: {{- toYaml (concat (list (.command | default .role) (printf "--log-format=%s" .root.Values.log.format)) .args .values.extraArgs) | nindent 8 }}
        {{- with include "konstruct.env" (dict "root" .root "ours" .env "extra" .values.extraEnv) }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- with .envFrom }}
        envFrom: {{- toYaml . | nindent 8 }}
        {{- end }}
        ports:
        {{- range $name, $port := .ports }}
        - {name: {{ $name }}, containerPort: {{ $port }}}
        {{- end }}
        livenessProbe: {httpGet: {path: /livez, port: admin}, periodSeconds: 10, timeoutSeconds: 2}
        readinessProbe: {httpGet: {path: /readyz, port: admin}, periodSeconds: 2, timeoutSeconds: 2}
        resources: {{- toYaml .values.resources | nindent 10 }}
        {{- include "konstruct.containerSecurity" . | nindent 8 }}
        {{- with include "konstruct.volumeMounts" (dict "files" .files "extraVolumeMounts" .values.extraVolumeMounts) }}
        {{- . | nindent 8 }}
        {{- end }}
      {{- with include "konstruct.volumes" (dict "files" .files "extraVolumes" .values.extraVolumes) }}
      {{- . | nindent 6 }}
      {{- end }}
{{- end -}}

{{- define "konstruct.podDisruptionBudget" -}}
{{- if .values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "konstruct.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  # Pods that do not serve anyway hold up no drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "konstruct.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "konstruct.autoscaler" -}}
{{- with .values.autoscaling }}
{{- if .enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "konstruct.metadata" $ | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "konstruct.fullname" $.root }}-{{ $.role }}}
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: {{ .targetCPUUtilizationPercentage }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "konstruct.serviceAccount" -}}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "konstruct.metadata" (merge (dict "annotations" .values.serviceAccount.annotations) .) | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{/* Apart from the Service that others use, so that no load balancer ever publishes metrics. */}}
{{- define "konstruct.metrics" -}}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "konstruct.metadata" (merge (dict "name" (printf "%s-metrics" .role) "labels" (dict "konstruct.dev/metrics" "true")) .) | nindent 2 }}
spec:
  clusterIP: None
  selector: {{- include "konstruct.selector" . | nindent 4 }}
  ports: [{name: admin, port: 9090, targetPort: admin}]
{{- if .root.Values.serviceMonitor.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "konstruct.metadata" (merge (dict "labels" .root.Values.serviceMonitor.labels) .) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "konstruct.selector" . | nindent 6 }}
      konstruct.dev/metrics: "true"
  endpoints: [{port: admin, path: /metrics, interval: {{ .root.Values.serviceMonitor.interval }}}]
{{- end }}
{{- end -}}
