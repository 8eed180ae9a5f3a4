{{/* Where PostgreSQL, Redis and the keys are, whichever way they are given. */}}

{{- define "konstruct.keysSecret" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "konstruct.fullname" .)) -}}
{{- end -}}

{{- define "konstruct.postgresSecret" -}}
{{- .Values.postgres.existingSecret | default (printf "%s-postgres" (include "konstruct.fullname" .)) -}}
{{- end -}}

{{- define "konstruct.redisSecret" -}}
{{- .Values.redis.existingSecret | default (printf "%s-redis" (include "konstruct.fullname" .)) -}}
{{- end -}}

{{/* "host:port/database?parameters" */}}
{{- define "konstruct.postgresPlace" -}}
{{- $name := include "konstruct.fullname" . -}}
{{- with .Values.postgres -}}
{{- if eq .mode "external" -}}
{{- .external.host }}:{{ .external.port }}/{{ .database }}{{ with .external.parameters }}?{{ . }}{{ end }}
{{- else if eq .mode "cnpg" -}}
{{- $name }}-postgres-rw.{{ $.Release.Namespace }}:5432/{{ .database }}
{{- else -}}
{{- $name }}-postgres.{{ $.Release.Namespace }}:5432/{{ .database }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "konstruct.postgresAdmin" -}}
{{- ternary "konstruct_admin" "postgres" (eq .Values.postgres.mode "cnpg") -}}
{{- end -}}

{{/* What tenants' network policies let through. */}}
{{- define "konstruct.allowPostgres" -}}
{{- if eq .Values.postgres.mode "external" -}}
{{- .Values.postgres.external.allow -}}
{{- else if eq .Values.postgres.mode "cnpg" -}}
{{- .Release.Namespace }}/cnpg.io/cluster={{ include "konstruct.fullname" . }}-postgres:5432
{{- else -}}
{{- .Release.Namespace }}/app.kubernetes.io/name=konstruct-postgres:5432
{{- end -}}
{{- end -}}

{{- define "konstruct.redisAddress" -}}
{{- if eq .Values.redis.mode "external" -}}
{{- .Values.redis.external.address -}}
{{- else -}}
redis://{{ include "konstruct.fullname" . }}-redis.{{ .Release.Namespace }}:6379
{{- end -}}
{{- end -}}

{{- define "konstruct.allowRedis" -}}
{{- if eq .Values.redis.mode "external" -}}
{{- .Values.redis.external.allow -}}
{{- else -}}
{{- .Release.Namespace }}/app.kubernetes.io/name=konstruct-redis:6379
{{- end -}}
{{- end -}}

{{/* Files of a role: its logins, and the keys that it needs. Takes (dict "root" $ "role" "gateway" "keys" (list …)). */}}
{{- define "konstruct.files" -}}
- secret: {{ include "konstruct.postgresSecret" .root }}
  keys: { {{ .role }}-url: database-url }
- secret: {{ include "konstruct.redisSecret" .root }}
  keys: { {{ .role }}-url: redis-url }
- secret: {{ include "konstruct.keysSecret" .root }}
  keys: { {{ range $i, $key := .keys }}{{ if $i }}, {{ end }}{{ $key }}: {{ $key }}{{ end }} }
{{- end -}}

{{/* Files of the migration: an administrator's URL, and the passwords to give to the roles. */}}
{{- define "konstruct.migrateFiles" -}}
{{- $postgres := include "konstruct.postgresSecret" . -}}
- secret: {{ .Values.postgres.external.adminSecret | default $postgres }}
  keys: {admin-url: admin-url}
- secret: {{ $postgres }}
  keys:
    operator-password: operator-password
    gateway-password: gateway-password
    ai-gateway-password: ai-gateway-password
{{- end -}}
