{{- define "konstruct.operatorSettings" -}}
{{- $name := include "konstruct.fullname" . -}}
KONSTRUCT_RUNTIME_IMAGE: {{ include "konstruct.runtimeImage" . | quote }}
KONSTRUCT_RUNTIME_IMAGE_PULL_POLICY: {{ ternary .Values.runtime.image.pullPolicy .Values.image.pullPolicy (ne .Values.runtime.image.repository "") }}
KONSTRUCT_RUNTIME_CPU_REQUEST: {{ .Values.runtime.resources.requests.cpu | quote }}
KONSTRUCT_RUNTIME_CPU_LIMIT: {{ .Values.runtime.resources.limits.cpu | quote }}
KONSTRUCT_RUNTIME_MEMORY_REQUEST: {{ .Values.runtime.resources.requests.memory | quote }}
KONSTRUCT_RUNTIME_MEMORY_LIMIT: {{ .Values.runtime.resources.limits.memory | quote }}
# As tenants' runtimes reach them, without user and password: the operator adds each tenant's own.
KONSTRUCT_TENANT_DATABASE_ADDRESS: {{ printf "postgres://%s" (include "konstruct.postgresPlace" .) | quote }}
KONSTRUCT_TENANT_REDIS_ADDRESS: {{ include "konstruct.redisAddress" . | quote }}
KONSTRUCT_AI_GATEWAY_URL: http://{{ $name }}-ai-gateway.{{ .Release.Namespace }}:8081
# What tenants' network policies let through: namespace/label=value:port of the pods, or cidr:port.
KONSTRUCT_ALLOW_POSTGRES: {{ include "konstruct.allowPostgres" . | quote }}
KONSTRUCT_ALLOW_REDIS: {{ include "konstruct.allowRedis" . | quote }}
KONSTRUCT_ALLOW_AI_GATEWAY: {{ .Release.Namespace }}/app.kubernetes.io/name=konstruct-ai-gateway:8081
KONSTRUCT_DNS_NAMESPACE: {{ .Values.networkPolicy.dnsNamespace }}
KONSTRUCT_MONITORING_NAMESPACE: {{ .Values.networkPolicy.monitoringNamespace }}
{{- with .Values.watchNamespaces }}
KONSTRUCT_WATCH_NAMESPACES: {{ join "," . | quote }}
KONSTRUCT_NAMESPACES_GIVEN: {{ $.Values.rbac.namespaced | quote }}
{{- end }}
{{- end -}}

{{/* Where the operator is, and whose account gets its rights in tenants' namespaces. */}}
{{- define "konstruct.operatorEnv" -}}
- {name: KONSTRUCT_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: KONSTRUCT_SERVICE_ACCOUNT, value: {{ include "konstruct.fullname" . }}-operator}
{{- end -}}
